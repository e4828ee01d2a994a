-- The database itself.
SELECT current_database() AS database, current_setting('server_version') AS postgresql,
       pg_size_pretty(pg_database_size(current_database())) AS size,
       (SELECT max(version) FROM schema_version) AS schema
