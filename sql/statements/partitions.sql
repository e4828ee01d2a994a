-- The partitions of the delivery tables, with the days they hold: from, and up to but not including.
-- Those on their way out are left out; pg_get_expr gives NULL for one that is dropped meanwhile.
SELECT * FROM (
    SELECT parent.relname AS table_name, child.relname AS partition,
           (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'FROM \(''([^'']+)''\)'))[1]::date AS day_from,
           (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'TO \(''([^'']+)''\)'))[1]::date AS day_to
    FROM pg_inherits i
    JOIN pg_class parent ON parent.oid = i.inhparent
    JOIN pg_class child ON child.oid = i.inhrelid
    WHERE parent.oid IN ('delivery_from'::regclass, 'delivery_to'::regclass,
                         'delivery_attempt'::regclass, 'noqueue'::regclass)
      AND NOT i.inhdetachpending
    OFFSET 0
) present
WHERE day_from IS NOT NULL AND day_to IS NOT NULL
ORDER BY table_name, day_from
