-- The record of a clean-up.
INSERT INTO retention_log (t, day, table_name, step, rows, oldest_left)
VALUES (%(t)s, %(day)s, %(table_name)s, %(step)s, %(rows)s, %(oldest_left)s)
