-- Partitions with days of which no names are to be kept any more, and which no clean-up has looked
-- through for them yet: the oldest of each table.
SELECT p.table_name, min(p.day_from) AS day
FROM stored_partition p
WHERE p.day_from < CASE p.table_name WHEN 'noqueue' THEN %(noqueue)s::date ELSE %(delivery)s::date END
  AND NOT EXISTS (SELECT FROM looked_through l WHERE l.partition = p.partition AND l.step = 'pseudonymise')
GROUP BY p.table_name
ORDER BY p.table_name
