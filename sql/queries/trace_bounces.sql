-- Mails with an empty sender from outside to some addresses: they may be notices made by others.
-- Recipients are found first: mails with an empty sender are many.
SELECT f.*, t.recipient
FROM (
    SELECT day, from_id, recipient
    FROM delivery_to
    WHERE day BETWEEN %(first)s AND %(last)s
      AND (lower(recipient) = ANY (%(addresses)s) OR lower(orig_to) = ANY (%(addresses)s))
    OFFSET 0
) t
CROSS JOIN LATERAL (
    SELECT * FROM delivery_from
    WHERE day = t.day AND id = t.from_id AND sender = '' AND origin = 'smtp'
    OFFSET 0
) f
ORDER BY f.t_i, f.id
LIMIT %(most)s
