-- Days of which only retention has changed rows since they were counted: as if counted after that.
UPDATE hourly_filled h SET changes = c.changes
FROM partition_changes c
WHERE h.changes = -1 AND c.table_name = h.table_name AND h.day >= c.day_from AND h.day < c.day_to
