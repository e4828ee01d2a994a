-- The transactions of others in this database that are open, by the names they hold a lock on.
SELECT l.virtualtransaction AS name
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted
  AND a.datname = current_database() AND a.pid <> pg_backend_pid()
