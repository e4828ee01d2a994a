-- The server, its settings that matter to us, who we are, and how many more may come.
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_num,
       current_user AS role, current_schema() AS schema,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser, pg_is_in_recovery() AS is_standby,
       current_setting('server_encoding') AS server_encoding, current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes, current_setting('autovacuum') AS autovacuum,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('max_locks_per_transaction')::int AS max_locks_per_transaction,
       current_setting('max_connections')::int AS max_connections,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       pg_size_bytes(current_setting('shared_buffers')) AS shared_buffers,
       current_setting('shared_buffers') AS shared_buffers_text,
       pg_database_size(current_database()) AS bytes
