"""journal-postfix: what became of every mail, read from Postfix's log, kept in PostgreSQL.

The way of the data: journal or logfile > run > parser > delivery > session > store.
Importing the package imports none of them.
"""

__version__ = "0.1.0"
