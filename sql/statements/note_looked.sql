-- Note that a partition was looked through, and what for.
INSERT INTO looked_through (partition, step, asked, changes)
VALUES (%(partition)s, %(step)s, %(asked)s, %(changes)s)
ON CONFLICT (partition, step) DO UPDATE SET asked = excluded.asked, changes = excluded.changes
