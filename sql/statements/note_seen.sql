-- Mails that were in the queue as it was listed: they are not too old to be there. Noted once a day,
-- lest every look at the queue rewrite all of open_mail.
UPDATE open_mail o SET seen_at = %(t)s
WHERE o.mta = %(mta)s AND o.ended_at IS NULL
  AND greatest(o.t_f, o.seen_at) < %(t)s - interval '1 day'
  AND EXISTS (SELECT FROM listed l
              WHERE l.queue_id = o.queue_id AND l.syslog_name = %(syslog_name)s)
  AND EXISTS (SELECT FROM delivery_from f
              WHERE f.day = o.day AND f.id = o.id AND f.syslog_name = %(syslog_name)s)
