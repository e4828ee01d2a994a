-- What a day takes, by the days that are stored.
SELECT sum(pg_total_relation_size(p.relid))::bigint / greatest(kept.days, 1) AS bytes_per_day, kept.days
FROM (SELECT max(day) - min(day) + 1 AS days FROM delivery_from) kept
CROSS JOIN unnest('{delivery_from,delivery_to,delivery_attempt,noqueue}'::regclass[]) parent
CROSS JOIN pg_partition_tree(parent) p
GROUP BY kept.days
