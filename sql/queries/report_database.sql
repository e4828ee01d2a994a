-- The database: its size, what it holds, how much a day takes, and when it was last deleted from. Where it is on
-- this machine and we may know, its folder.
SELECT pg_database_size(current_database()) AS bytes, kept.oldest_mail, kept.oldest_refusal,
       (SELECT sum(pg_total_relation_size(p.relid))::bigint
        FROM unnest('{delivery_from,delivery_to,delivery_attempt}'::regclass[]) parent, pg_partition_tree(parent) p)
           / nullif((SELECT max(day) FROM delivery_from) - kept.oldest_mail + 1, 0)
       + coalesce((SELECT sum(pg_total_relation_size(p.relid))::bigint FROM pg_partition_tree('noqueue') p)
           / nullif((SELECT max(day) FROM noqueue) - kept.oldest_refusal + 1, 0), 0) AS bytes_per_day,
       CASE WHEN inet_server_addr() IS NULL THEN (SELECT setting FROM pg_settings WHERE name = 'data_directory') END AS folder,
       (SELECT max(t) FROM retention_log WHERE step = 'delete') AS cleaned_at,
       (SELECT coalesce(sum(count), 0)::bigint FROM unrecognised) AS unknown
FROM (SELECT (SELECT min(day) FROM delivery_from) AS oldest_mail, (SELECT min(day) FROM noqueue) AS oldest_refusal) kept
