-- Joins of halves wait for each other, and for batches of every host in `open_mail`.
SELECT pg_advisory_xact_lock(hashtextextended('journal-postfix mta ' || mta, 0))
FROM (SELECT DISTINCT mta FROM open_mail ORDER BY mta) hosts
