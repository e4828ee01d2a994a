-- A row of access_log, in a transaction that may write although the session only reads.
SET TRANSACTION READ WRITE;
SELECT note_access(%(command)s, %(keys)s::text[], %(rows)s, %(ticket)s, %(os_user)s, %(t_from)s::timestamptz, %(t_to)s::timestamptz)
