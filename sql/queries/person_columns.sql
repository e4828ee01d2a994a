-- The columns, by table, in which words of a person may stand.
SELECT c.relname AS table_name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid IN ('delivery_from'::regclass, 'delivery_to'::regclass, 'delivery_attempt'::regclass,
                'noqueue'::regclass, 'login'::regclass, 'source'::regclass, 'gap'::regclass,
                'unrecognised'::regclass, 'queue_event'::regclass, 'retained'::regclass)
  AND a.atttypid IN ('text'::regtype, 'json'::regtype)
GROUP BY c.relname
