-- Partitions with days of which no names are to be kept any more, and which no clean-up has looked
-- through for them yet: the oldest of each table.
SELECT p.table_name, min(p.day_from) AS day
FROM (
    SELECT parent.relname AS table_name, child.relname AS partition,
           (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'FROM \(''([^'']+)''\)'))[1]::date AS day_from
    FROM pg_inherits i
    JOIN pg_class parent ON parent.oid = i.inhparent
    JOIN pg_class child ON child.oid = i.inhrelid
    WHERE parent.oid IN ('delivery_from'::regclass, 'delivery_to'::regclass,
                         'delivery_attempt'::regclass, 'noqueue'::regclass)
      AND NOT i.inhdetachpending
    OFFSET 0
) p
WHERE p.day_from < CASE p.table_name WHEN 'noqueue' THEN %(noqueue)s::date ELSE %(delivery)s::date END
  AND NOT EXISTS (SELECT FROM looked_through l WHERE l.partition = p.partition AND l.step = 'pseudonymise')
GROUP BY p.table_name
ORDER BY p.table_name
