-- The recipients of mails, with the fate of each; of a mail without one the fate alone. went_on: the
-- recipients that went on to a host of ours, and to which.
SELECT f.id AS mail_id, t.*, fate_of(f, t, n.mta) AS fate
FROM delivery_from f
LEFT JOIN delivery_to t ON t.day = f.day AND t.from_id = f.id
 AND t.day = ANY (%(days)s) AND t.from_id = ANY (%(ids)s)
LEFT JOIN unnest(%(went_on)s::bigint[], %(mtas)s::text[]) AS n (id, mta) ON n.id = t.id
WHERE f.day = ANY (%(days)s) AND f.id = ANY (%(ids)s)
ORDER BY t.t_i, t.id
