-- Retention is about to change the rows of a partition: no reason to count its days again, unless there
-- is one already.
UPDATE hourly_filled h SET changes = -1
FROM partition_changes c
WHERE h.table_name = %(counted)s AND h.day >= %(day_from)s AND h.day < %(day_to)s
  AND c.table_name = h.table_name AND h.day >= c.day_from AND h.day < c.day_to AND c.changes = h.changes
