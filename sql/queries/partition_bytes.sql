-- What the partitions of the same days take together, those that ended before today.
SELECT tables, day_to, sum(bytes)::bigint AS bytes
FROM (
    SELECT CASE parent.relname WHEN 'noqueue' THEN 'noqueue' ELSE 'delivery' END AS tables,
           (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'TO \(''([^'']+)''\)'))[1]::date AS day_to,
           pg_total_relation_size(child.oid) AS bytes
    FROM pg_inherits i
    JOIN pg_class parent ON parent.oid = i.inhparent
    JOIN pg_class child ON child.oid = i.inhrelid
    WHERE parent.oid IN ('delivery_from'::regclass, 'delivery_to'::regclass,
                         'delivery_attempt'::regclass, 'noqueue'::regclass)
      AND NOT i.inhdetachpending
) part
WHERE day_to <= %(today)s
GROUP BY tables, day_to
ORDER BY day_to, tables
