-- Count the refusals of a day again, by hour, host and kind.
DELETE FROM noqueue_hourly WHERE hour >= %(since)s AND hour < %(until)s;
INSERT INTO noqueue_hourly
SELECT date_trunc('hour', t, 'UTC'), mta, refusal(daemon, action, protocol_state, dsn, temporary, reason), count(*), count(*) FILTER (WHERE temporary)
FROM noqueue
WHERE refused AND t >= %(since)s AND t < %(until)s
  AND day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 1 AND (%(until)s AT TIME ZONE 'UTC')::date
GROUP BY 1, 2, 3;
