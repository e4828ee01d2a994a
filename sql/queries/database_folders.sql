-- Whether the server is on this machine, and its folders as far as it tells them.
SELECT inet_server_addr() IS NULL OR inet_server_addr() <<= ANY ('{127.0.0.0/8,::1}'::inet[]) AS is_here,
       (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS folder,
       (SELECT nullif(pg_tablespace_location(dattablespace), '')
        FROM pg_database WHERE datname = current_database()) AS tablespace
