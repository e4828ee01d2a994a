-- Forget what was noted of partitions that are gone, or going.
DELETE FROM looked_through l WHERE NOT EXISTS (SELECT FROM stored_partition p WHERE p.partition = l.partition)
