-- What some logins sent in a period: recipients, from how many client addresses, how many of them came
-- back, from here or behind a filter, and since when.
WITH sent AS MATERIALIZED (
    SELECT lower(f.sasl_username) AS login, f.client_address, f.t_i, t.id AS to_id, t.recipient, t.status
    FROM delivery_from f
    JOIN delivery_to t ON t.day = f.day AND t.from_id = f.id
    WHERE lower(f.sasl_username) = ANY (%(logins)s) AND f.t_i >= %(since)s AND f.t_i < %(until)s
      AND f.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date + 1
      AND t.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date + 1
      AND (%(mta)s::text IS NULL OR f.mta = %(mta)s)
), came_back AS (
    SELECT DISTINCT s.to_id
    FROM sent s
    JOIN hop_between((%(since)s AT TIME ZONE 'UTC')::date, (%(until)s AT TIME ZONE 'UTC')::date + 1,
                     (%(since)s AT TIME ZONE 'UTC')::date, (%(until)s AT TIME ZONE 'UTC')::date + 1,
                     '-infinity') h ON h.to_id = s.to_id
    JOIN delivery_to n ON n.day = h.next_day AND n.from_id = h.next_id AND n.recipient = s.recipient
    WHERE n.status = 'bounced'
      AND n.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date + 1
)
SELECT s.login, count(*) AS recipients, count(DISTINCT s.client_address) AS clients,
       count(*) FILTER (WHERE s.status = 'bounced' OR b.to_id IS NOT NULL) AS returned, min(s.t_i) AS first
FROM sent s
LEFT JOIN came_back b ON b.to_id = s.to_id
GROUP BY s.login
ORDER BY recipients DESC, s.login
