-- Clients refused for good several times in a period, and not in the week before, though they
-- delivered here in the thirty days before; not where only the recipient was wrong.
WITH client AS MATERIALIZED (
    SELECT client_address, max(client_name COLLATE "C") AS client_name, count(*) AS refused
    FROM noqueue
    WHERE refused AND NOT temporary AND t >= %(since)s AND t < %(until)s AND client_name <> 'unknown'
      AND day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 1 AND (%(until)s AT TIME ZONE 'UTC')::date
      AND sasl_username IS NULL AND (%(mta)s::text IS NULL OR mta = %(mta)s)
      AND refusal(daemon, action, protocol_state, dsn, temporary, reason) <> 'unknown recipient'
    GROUP BY client_address
    HAVING count(*) >= 3
    ORDER BY count(*) DESC, client_address
    LIMIT 200
)
SELECT client_name, host(client_address) AS client_address, refused
FROM client
WHERE EXISTS (
    SELECT FROM delivery_from f
    WHERE f.client_address = client.client_address AND f.t_i < %(since)s AND f.accepted AND NOT f.is_submission
      AND f.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 30 AND (%(since)s AT TIME ZONE 'UTC')::date)
  AND NOT EXISTS (
    SELECT FROM noqueue n
    WHERE n.client_address = client.client_address AND n.refused AND n.t < %(since)s AND n.t >= %(since)s - interval '7 days'
      AND n.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 8 AND (%(since)s AT TIME ZONE 'UTC')::date)
ORDER BY refused DESC, client.client_address
LIMIT %(top)s
