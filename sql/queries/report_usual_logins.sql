-- What some logins sent in periods before: recipients and client addresses, by period.
SELECT lower(f.sasl_username) AS login, p.number, count(*) AS recipients, count(DISTINCT f.client_address) AS clients
FROM delivery_from f
JOIN delivery_to t ON t.day = f.day AND t.from_id = f.id
JOIN unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY p (since, until, number)
  ON f.t_i >= p.since AND f.t_i < p.until
WHERE lower(f.sasl_username) = ANY (%(logins)s) AND f.day = ANY (%(days)s) AND t.day = ANY (%(days)s)
  AND (%(mta)s::text IS NULL OR f.mta = %(mta)s)
GROUP BY 1, p.number
