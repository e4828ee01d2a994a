-- What the partitions of the same days take together, those that ended before today.
SELECT CASE table_name WHEN 'noqueue' THEN 'noqueue' ELSE 'delivery' END AS tables, day_to,
       coalesce(sum(pg_total_relation_size(oid)), 0)::bigint AS bytes
FROM stored_partition
WHERE day_to <= %(today)s
GROUP BY tables, day_to
ORDER BY day_to, tables
