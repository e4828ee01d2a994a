-- An instance's queue as it was listed first, against the mails known here: how many it holds, how
-- many are open, and how many that arrived since the log is stored are not known to be there.
SELECT %(mta)s AS mta, %(syslog_name)s AS syslog_name,
       (SELECT count(DISTINCT queue_id) FROM listed
        WHERE number = 1 AND syslog_name = %(syslog_name)s) AS in_queue,
       (SELECT count(*) FROM open_mail o
        CROSS JOIN LATERAL (
            SELECT * FROM delivery_from WHERE day = o.day AND id = o.id OFFSET 0
        ) f
        WHERE o.mta = %(mta)s AND o.ended_at IS NULL AND f.syslog_name = %(syslog_name)s
          AND f.removed_at IS NULL AND (f.queued_at IS NOT NULL OR f.held_at IS NOT NULL)) AS open,
       (SELECT count(DISTINCT queue_id) FROM listed l
        WHERE number = 1 AND syslog_name = %(syslog_name)s AND queue_name <> 'maildrop'
          AND arrived_at > %(t_first)s AND arrived_at < %(before)s
          AND NOT EXISTS (SELECT FROM open_mail o WHERE o.mta = %(mta)s AND o.queue_id = l.queue_id
                          AND o.ended_at IS NULL)) AS not_in_tables
