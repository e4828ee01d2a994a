-- The history of recipients by their days and ids.
SELECT * FROM delivery_attempt
WHERE day = ANY (%(days)s::date[]) AND to_id = ANY (%(ids)s::bigint[])
ORDER BY t
