-- The record of a clean-up.
INSERT INTO retention_log (day, table_name, rows, oldest_left)
VALUES (%(day)s, %(table_name)s, %(rows)s, %(oldest_left)s)
