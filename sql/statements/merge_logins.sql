-- Add a batch's sums of logins, a JSON array of rows, to those stored. In whatever order: whoever adds
-- to a host's rows holds the lock of that host.
INSERT INTO login AS l (hour, mta, syslog_name, client_name, client_address, sasl_method,
                        sasl_username, reason, failed, succeeded, t_i, t_f)
SELECT hour, mta, syslog_name, max(client_name), client_address, sasl_method, sasl_username, reason,
       sum(failed), sum(succeeded), min(t_i), max(t_f)
FROM json_populate_recordset(NULL::login, $1)
GROUP BY hour, mta, syslog_name, client_address, sasl_method, sasl_username, reason, failed > 0
ON CONFLICT (hour, mta, syslog_name, (coalesce(client_address, '::')), (coalesce(sasl_username, '')),
             (coalesce(sasl_method, '')), (coalesce(reason, '')), (failed > 0)) DO UPDATE SET
    client_name = greatest(l.client_name, excluded.client_name),
    failed = l.failed + excluded.failed,
    succeeded = l.succeeded + excluded.succeeded,
    t_i = least(l.t_i, excluded.t_i),
    t_f = greatest(l.t_f, excluded.t_f)
