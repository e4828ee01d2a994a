-- Values in the server's statistics of our tables, and of their indexes, in which a person's names may stand.
SELECT table_name, value
FROM (
    SELECT coalesce(t.relname, s.tablename)::text AS table_name, v.value
    FROM pg_stats s
    LEFT JOIN pg_index i ON i.indexrelid = to_regclass(quote_ident(s.tablename))
    LEFT JOIN pg_class t ON t.oid = i.indrelid
    CROSS JOIN LATERAL unnest(s.most_common_vals::text::text[] || s.histogram_bounds::text::text[]) v (value)
    WHERE s.schemaname = current_schema()
) sampled
WHERE table_name ~ '^(delivery_from|delivery_to|delivery_attempt|noqueue|login|source|gap|unrecognised|queue_event)(_[0-9]{8})?$'
  AND value ~* %(pattern)s
