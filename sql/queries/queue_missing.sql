-- Are there open mails of an instance that had no line since before the queue was listed, and that
-- are not in it? own: the journals whose mails are this host's.
SELECT EXISTS (
    SELECT FROM open_mail o
    CROSS JOIN LATERAL (
        SELECT * FROM delivery_from WHERE day = o.day AND id = o.id OFFSET 0
    ) f
    WHERE o.mta = %(mta)s AND o.ended_at IS NULL AND o.t_f < %(before)s
      AND f.removed_at IS NULL AND (f.queued_at IS NOT NULL OR f.held_at IS NOT NULL)
      AND f.syslog_name = %(syslog_name)s
      AND NOT EXISTS (SELECT FROM source s
                      WHERE s.id = o.source_id AND s.kind = 'journal' AND s.id <> ALL (%(own)s))
      AND NOT EXISTS (SELECT FROM listed l
                      WHERE l.syslog_name = f.syslog_name AND l.queue_id = o.queue_id)
) AS missing
