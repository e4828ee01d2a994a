-- Logins of an account in a period, by hour and client address: when it was tried, from where.
SELECT hour, mta, syslog_name, client_name, client_address, sasl_method, sasl_username, reason,
       failed, succeeded, t_i, t_f
FROM login
WHERE lower(sasl_username) = lower(%(sasl_username)s)
  AND hour > %(since)s::timestamptz - interval '1 hour' AND hour < %(until)s
  AND t_f >= %(since)s AND t_i < %(until)s
ORDER BY hour, t_i, client_address, failed
