-- Changes of the queue from before the first day that retention keeps of mails.
DELETE FROM queue_event WHERE t < %(first)s::timestamp AT TIME ZONE 'UTC'
