-- Others may forget again.
SELECT pg_advisory_unlock(hashtext('journal-postfix forget'))
