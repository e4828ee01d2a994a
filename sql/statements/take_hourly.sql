-- One session at a time counts hours; for as long as it lasts.
SELECT pg_try_advisory_lock(hashtext('journal-postfix hourly'))
