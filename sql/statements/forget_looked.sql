-- Forget what was noted of partitions that are gone.
DELETE FROM looked_through WHERE partition <> ALL (ARRAY(
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('delivery_from'::regclass, 'delivery_to'::regclass,
                          'delivery_attempt'::regclass, 'noqueue'::regclass)))
