-- A snapshot for the sessions that answer one report, so that all count the same rows. Partitions are not
-- replaced meanwhile: what stands in a new one would not be in the snapshot.
LOCK TABLE delivery_from, delivery_to, delivery_attempt, noqueue IN ACCESS SHARE MODE;
SELECT pg_export_snapshot()
