-- Note that a day was counted, and how much its partition had changed by then.
INSERT INTO hourly_filled (table_name, day, filled_at, changes)
VALUES (%(table_name)s, %(day)s, %(now)s, %(changes)s)
ON CONFLICT (table_name, day) DO UPDATE SET filled_at = excluded.filled_at, changes = excluded.changes
