-- The latest refusals, before a time already reached. What is not asked is NULL. hits: how many there
-- are from there on.
SELECT *, count(*) OVER () AS hits
FROM noqueue
WHERE day BETWEEN %(first)s AND %(last)s AND t < %(until)s AND t >= %(since)s
  AND (t, id) < (%(before)s, %(before_id)s)
  AND refused
  AND (%(sender)s IS NULL OR lower(sender) = %(sender)s)
  AND (%(sender_like)s::text[] IS NULL OR lower(sender) LIKE ANY (%(sender_like)s::text[]))
  AND (%(recipient)s IS NULL OR lower(recipient) = %(recipient)s)
  AND (%(recipient_like)s::text[] IS NULL OR lower(recipient) LIKE ANY (%(recipient_like)s::text[]))
  AND (%(network)s::inet IS NULL OR client_address <<= %(network)s::inet)
  AND (%(client_like)s::text[] IS NULL OR lower(client_name) LIKE ANY (%(client_like)s::text[]))
  AND (%(sasl_username)s IS NULL OR lower(sasl_username) = %(sasl_username)s)
  AND (%(sasl_username_like)s::text[] IS NULL OR lower(sasl_username) LIKE ANY (%(sasl_username_like)s::text[]))
  AND (%(mta_like)s::text[] IS NULL OR lower(mta) LIKE ANY (%(mta_like)s::text[]))
  AND (%(status)s IS NULL OR %(status)s IN ('refused', action))
ORDER BY t DESC, id DESC
LIMIT %(most)s
