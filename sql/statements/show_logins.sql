-- Failures that stand under the hashes of accounts that are known now come under their names.
WITH account AS (
    SELECT name, hash FROM unnest(%(names)s::text[], %(hashes)s::text[]) a (name, hash)
), gone AS (
    DELETE FROM login l USING account a
    WHERE lower(l.sasl_username) = a.hash AND l.failed > 0
    RETURNING l.*, a.name
)
INSERT INTO login AS l (hour, mta, syslog_name, client_name, client_address, sasl_method,
                        sasl_username, reason, failed, succeeded, t_i, t_f)
SELECT hour, mta, syslog_name, client_name, client_address, sasl_method, name, reason, failed, succeeded, t_i, t_f
FROM gone
ON CONFLICT (hour, mta, syslog_name, (coalesce(client_address, '::')), (coalesce(sasl_username, '')),
             (coalesce(sasl_method, '')), (coalesce(reason, '')), (failed > 0)) DO UPDATE SET
    client_name = greatest(l.client_name, excluded.client_name),
    failed = l.failed + excluded.failed,
    t_i = least(l.t_i, excluded.t_i),
    t_f = greatest(l.t_f, excluded.t_f)
