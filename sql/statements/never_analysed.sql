-- Partitions with rows of which the server knows nothing yet: it would count them row by row.
SELECT child.relname AS partition
FROM pg_inherits i
JOIN pg_class parent ON parent.oid = i.inhparent
JOIN pg_class child ON child.oid = i.inhrelid
WHERE parent.oid IN ('delivery_from'::regclass, 'delivery_to'::regclass, 'noqueue'::regclass)
  AND NOT i.inhdetachpending AND child.reltuples < 0 AND pg_relation_size(child.oid) > 0
ORDER BY child.relname
