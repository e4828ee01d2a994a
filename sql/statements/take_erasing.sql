-- One session at a time forgets.
SELECT pg_try_advisory_lock(hashtext('journal-postfix forget'))
