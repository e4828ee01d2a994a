-- The rows of access_log from before a time go; the record of it.
SELECT NULL::date AS day, 'access_log' AS table_name, 'delete' AS step, rows, oldest_left
FROM forget_accesses(%(before)s)
