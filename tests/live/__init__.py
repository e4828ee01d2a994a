"""A whole mail server on loopback: real journald, real Postfix, real mail, and what the other side saw.

It runs in namespaces of its own, so nothing of the machine changes and several can run at once.
What it learns comes from SMTP replies, from the sink servers and from mailboxes, never from the log.
It knows nothing of journal-postfix; the comparison is in ``test_end_to_end.py``.
"""
