-- The latest mails by a recipient, final or as given, before a time already reached; t is when the
-- mail came. hits: how many there are from there on.
SELECT day, id, t, count(*) OVER () AS hits
FROM (
    SELECT day, from_id AS id, min(t_status - coalesce(delay, 0) * interval '1 second') AS t
    FROM delivery_to
    WHERE day BETWEEN %(first)s AND %(last)s AND t_f >= %(since)s
      AND (%(recipient)s IS NULL OR lower(recipient) = %(recipient)s OR lower(orig_to) = %(recipient)s)
      AND (%(recipient_like)s::text[] IS NULL OR lower(recipient) LIKE ANY (%(recipient_like)s::text[])
           OR lower(orig_to) LIKE ANY (%(recipient_like)s::text[]))
    GROUP BY day, from_id
) mail
WHERE t < %(until)s AND (t, id) < (%(before)s, %(before_id)s)
ORDER BY t DESC, id DESC
LIMIT %(most)s
