-- Merges of one host's mails wait for each other, until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('journal-postfix mta ' || %(mta)s, 0))
