-- The record of days that go early because the database is larger than max_size.
INSERT INTO retention_log (t, day, table_name, step, rows) VALUES (%(t)s, %(day)s, %(table_name)s, 'quota', 0)
