-- The oldest transaction that runs: what is changed from now on is changed by it or a later one.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin
