-- The recipients of mails by the days and ids of these.
SELECT * FROM delivery_to
WHERE day = ANY (%(days)s::date[]) AND from_id = ANY (%(ids)s::bigint[])
ORDER BY id
