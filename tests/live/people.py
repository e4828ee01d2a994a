"""The people of the test's world, and the words they write about.

Every round of the traffic gives the parts to other people, so that a log of several rounds
does not repeat itself.
"""

from __future__ import annotations

from typing import NamedTuple

FIRST_UID = 2001
PASSWORD = "correct horse"


class User(NamedTuple):
    """A system user of the mail server."""

    name: str
    uid: int

    @property
    def home(self) -> str:
        """The user's home folder."""
        return f"/home/{self.name}"


NAMES = (
    "alice bob carol dave erin frank grace heidi ivan judy kim leo mia nora oscar peggy quinn "
    "rupert sybil trent ursula victor walter xenia yves zoe"
).split()
USERS = [User(name, FIRST_UID + number) for number, name in enumerate(NAMES)]
# Each has a .forward file; one a round.
FORWARDERS = "faye felix finn fiona flora floyd frances fritz".split()
USERS += [User(name, FIRST_UID + len(USERS) + number) for number, name in enumerate(FORWARDERS)]
# Owns the virtual mailboxes and runs the pipe transport.
VMAIL = User("vmail", 1999)
USERS.append(VMAIL)

SUBJECTS = (
    "Minutes of the meeting",
    "Lunch on Friday?",
    "Offer 4711",
    "Your order",
    "Re: holiday plans",
    "Draft of chapter three",
    "Train tickets",
    "Monthly figures",
    "Fwd: photographs",
    "Keys of the workshop",
)


def part(number: int, round_number: int) -> str:
    """Who plays part ``number`` in a round: a user's name, another one in every round."""
    return NAMES[(number + 5 * round_number) % len(NAMES)]


def subject(number: int) -> str:
    """A harmless subject."""
    return SUBJECTS[number % len(SUBJECTS)]
