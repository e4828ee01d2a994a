-- What postsuper did to the queue in a period.
SELECT mta, t, action, named, messages
FROM queue_event
WHERE t >= %(since)s AND t < %(until)s AND (%(mta)s::text IS NULL OR mta = %(mta)s)
ORDER BY t, id
