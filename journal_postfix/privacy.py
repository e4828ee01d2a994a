"""What a person is told about his data before he is shown them: the default texts.

Each is a key of the configuration (`privacy.controller`...): a lawyer's words may stand there.
"""

from __future__ import annotations

CONTROLLER = "The operator of this mail server."
PURPOSES = "To deliver mail and to find out what became of it; to find and stop faults, misuse and attacks."
LEGAL_BASIS = (
    "Legitimate interest in a mail service that works and is secure (Art. 6(1)(f) GDPR), and the"
    " contract with the users of it (Art. 6(1)(b) GDPR)."
)
RIGHTS = (
    "You may ask for a copy of your data, have them corrected or deleted, or their use restricted, and"
    " object to it (Art. 15 to 21 GDPR). You may complain to the data protection authority."
)
CONTACT = "The postmaster of this mail server."
