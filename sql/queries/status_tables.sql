-- Rows (as the server estimates them where a table was analysed) and sizes, partitions added up.
SELECT t.name AS "table",
       (SELECT sum(greatest(c.reltuples, s.n_live_tup, 0))::bigint
        FROM pg_partition_tree(t.name::regclass) p
        JOIN pg_class c ON c.oid = p.relid
        LEFT JOIN pg_stat_all_tables s ON s.relid = p.relid
        WHERE p.isleaf) AS rows_about,
       (SELECT pg_size_pretty(sum(pg_total_relation_size(p.relid)))
        FROM pg_partition_tree(t.name::regclass) p WHERE p.isleaf) AS size,
       (SELECT count(*) FROM pg_partition_tree(t.name::regclass) p WHERE p.isleaf) AS partitions
FROM (VALUES ('delivery_from'), ('delivery_to'), ('delivery_attempt'), ('noqueue')) t (name)
