-- A portion of the logins that are due. What has become equal is summed, as when it was stored.
WITH key AS MATERIALIZED (
    SELECT month, hash_masks(key) AS masks FROM hash_key WHERE purpose = 'pseudonym'
), taken AS (
    DELETE FROM login WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM login r WHERE {due} LIMIT %(portion)s))
    RETURNING *
), changed AS (
    SELECT r.hour, r.mta, r.syslog_name, r.sasl_method, r.failed, r.succeeded, r.t_i, r.t_f,
           {pseudonyms}
    FROM taken r
    LEFT JOIN key k ON k.month = date_trunc('month', r.hour AT TIME ZONE 'UTC')::date
), stored AS (
    INSERT INTO login AS l (hour, mta, syslog_name, client_name, client_address, sasl_method,
                            sasl_username, reason, failed, succeeded, t_i, t_f)
    SELECT hour, mta, syslog_name, max(client_name), client_address, sasl_method, sasl_username, reason,
           sum(failed), sum(succeeded), min(t_i), max(t_f)
    FROM changed
    GROUP BY hour, mta, syslog_name, client_address, sasl_method, sasl_username, reason, failed > 0
    ON CONFLICT (hour, mta, syslog_name, (coalesce(client_address, '::')), (coalesce(sasl_username, '')),
                 (coalesce(sasl_method, '')), (coalesce(reason, '')), (failed > 0)) DO UPDATE SET
        client_name = greatest(l.client_name, excluded.client_name),
        failed = l.failed + excluded.failed,
        succeeded = l.succeeded + excluded.succeeded,
        t_i = least(l.t_i, excluded.t_i),
        t_f = greatest(l.t_f, excluded.t_f)
)
SELECT count(*) FROM taken
