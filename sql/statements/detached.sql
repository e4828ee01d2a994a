-- Partitions that an interrupted clean-up left half detached, or detached and not dropped, and copies
-- that did not come into their place.
SELECT p.relname AS table_name, c.relname AS partition, true AS pending
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE i.inhdetachpending
  AND p.oid IN ('delivery_from'::regclass, 'delivery_to'::regclass,
                'delivery_attempt'::regclass, 'noqueue'::regclass)
UNION ALL
SELECT NULL, c.relname, false
FROM pg_class c
WHERE c.relkind = 'r'
  AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'delivery_from'::regclass)
  AND c.relname ~ '^(delivery_from|delivery_to|delivery_attempt|noqueue)_[0-9]{8}(_new)?$'
  AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
