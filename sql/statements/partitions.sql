-- The partitions of the delivery tables, with the days they hold: from, and up to but not including.
SELECT parent.relname AS table_name, child.relname AS partition,
       (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'FROM \(''([^'']+)''\)'))[1]::date AS day_from,
       (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'TO \(''([^'']+)''\)'))[1]::date AS day_to
FROM pg_inherits i
JOIN pg_class parent ON parent.oid = i.inhparent
JOIN pg_class child ON child.oid = i.inhrelid
WHERE parent.oid IN ('delivery_from'::regclass, 'delivery_to'::regclass,
                     'delivery_attempt'::regclass, 'noqueue'::regclass)
  AND child.relpartbound IS NOT NULL AND NOT i.inhdetachpending  -- not on its way out
ORDER BY parent.relname, day_from
