-- The transactions that write, in any database of the server, by their numbers.
SELECT running::text AS name FROM pg_snapshot_xip(pg_current_snapshot()) running
