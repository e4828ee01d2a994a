-- Rows (as the server estimates them where a table was analysed) and sizes, partitions added up.
SELECT t.name AS "table", sum(greatest(c.reltuples, s.n_live_tup, 0))::bigint AS rows_about,
       pg_size_pretty(sum(pg_total_relation_size(c.oid))) AS size, count(p.relid) AS partitions
FROM (VALUES ('delivery_from'), ('delivery_to'), ('delivery_attempt'), ('noqueue'), ('open_mail'),
             ('stored_span')) t (name)
LEFT JOIN LATERAL (
    SELECT relid FROM pg_partition_tree(t.name::regclass) tree WHERE tree.isleaf
) p ON true
LEFT JOIN pg_class c ON c.oid = coalesce(p.relid, t.name::regclass)
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
GROUP BY t.name ORDER BY t.name
