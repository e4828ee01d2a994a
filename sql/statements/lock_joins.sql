-- Joins of halves wait for each other.
SELECT pg_advisory_xact_lock(hashtextextended('journal-postfix joins', 0))
