-- The database: its size, what it holds, and the last clean-up.
SELECT pg_database_size(current_database()) AS bytes, (SELECT min(day) FROM delivery_from) AS oldest_mail,
       (SELECT min(day) FROM noqueue) AS oldest_refusal, (SELECT max(t) FROM retention_log) AS cleaned_at,
       (SELECT coalesce(sum(count), 0)::bigint FROM unrecognised) AS unknown
