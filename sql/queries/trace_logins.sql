-- Logins of an account in a period, by hour and client address: when it was tried, from where. Also
-- failures from before it was known, which stand under its hash.
SELECT hour, mta, syslog_name, client_name, client_address, sasl_method,
       CASE WHEN sasl_username LIKE '~%%' THEN %(sasl_username)s ELSE sasl_username END AS sasl_username,
       reason, failed, succeeded, t_i, t_f
FROM login
WHERE lower(sasl_username) IN (lower(%(sasl_username)s), login_hash(%(sasl_username)s))
  AND hour > %(since)s::timestamptz - interval '1 hour' AND hour < %(until)s
  AND t_f >= %(since)s AND t_i < %(until)s
ORDER BY hour, t_i, client_address, failed
