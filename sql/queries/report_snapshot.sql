-- A snapshot for the sessions that answer one report, so that all count the same rows.
SELECT pg_export_snapshot()
