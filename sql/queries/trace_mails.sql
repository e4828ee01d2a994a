-- The latest mails by what is known of a mail, before a time already reached; the period is that in
-- which the mail was seen. What is not asked is NULL. hits: how many there are from there on.
SELECT day, id, t_i AS t, count(*) OVER () AS hits
FROM delivery_from
WHERE day BETWEEN %(first)s AND %(last)s AND t_i < %(until)s AND t_f >= %(since)s
  AND (t_i, id) < (%(before)s, %(before_id)s)
  AND (%(probes)s OR origin <> 'probe')
  AND (%(sender)s IS NULL OR lower(sender) = %(sender)s)
  AND (%(sender_like)s::text[] IS NULL OR lower(sender) LIKE ANY (%(sender_like)s::text[]))
  AND (%(message_id)s IS NULL OR message_id = %(message_id)s)
  AND (%(queue_id)s IS NULL OR queue_id = %(queue_id)s)
  AND (%(network)s::inet IS NULL OR client_address <<= %(network)s::inet)
  AND (%(client_like)s::text[] IS NULL OR lower(client_name) LIKE ANY (%(client_like)s::text[]))
  AND (%(sasl_username)s IS NULL OR lower(sasl_username) = %(sasl_username)s)
  AND (%(sasl_username_like)s::text[] IS NULL OR lower(sasl_username) LIKE ANY (%(sasl_username_like)s::text[]))
  AND (%(subject_like)s::text[] IS NULL OR lower(subject) LIKE ANY (%(subject_like)s::text[]))
  AND (%(mta_like)s::text[] IS NULL OR lower(mta) LIKE ANY (%(mta_like)s::text[]))
ORDER BY t_i DESC, id DESC
LIMIT %(most)s
