-- True where no other session reads this source; held until the session ends.
SELECT pg_try_advisory_lock(hashtextextended('journal-postfix source ' || %(kind)s || ' ' || %(identity)s, 0))
