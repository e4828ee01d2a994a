-- The queue ids that recipients of mails got at the next host.
SELECT DISTINCT next_queue_id
FROM delivery_to
WHERE day = ANY (%(days)s) AND from_id = ANY (%(ids)s) AND next_queue_id IS NOT NULL
