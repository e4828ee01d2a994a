-- The mails that some mails may have come from or become: with the same Message-ID, with queue ids
-- that they name, and the notices about them.
SELECT day, id, t_i, t_f, queue_id, orig_queue_id, next_queue_id, message_id, notification_for
FROM delivery_from
WHERE day = ANY (%(days)s)
  AND (message_id = ANY (%(message_ids)s) OR queue_id = ANY (%(queue_ids)s)
       OR notification_for_id = ANY (%(ids)s))
LIMIT %(most)s
