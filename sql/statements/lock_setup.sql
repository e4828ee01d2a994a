-- Setup runs once at a time, and waits for tables only so long.
SELECT pg_advisory_xact_lock(hashtext('journal-postfix setup')), set_config('lock_timeout', %(timeout)s, true)
