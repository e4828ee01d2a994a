-- Mails of an instance that had no line since before its queue was listed, and that are in no
-- listing: they went away without a line. A portion of them. own: see queue_missing.sql.
WITH gone AS MATERIALIZED (
    SELECT o.mta, o.queue_id, o.day, o.id, f.queued_at
    FROM open_mail o
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
    ORDER BY o.id LIMIT %(most)s
), closed AS (
    UPDATE open_mail o SET ended_at = %(t)s FROM gone
    WHERE o.mta = gone.mta AND o.queue_id = gone.queue_id AND o.id = gone.id
)
UPDATE delivery_from f SET removed_at = %(t)s, removed_by = 'vanished'
FROM gone WHERE f.day = gone.day AND f.id = gone.id
RETURNING f.mta, f.syslog_name, f.queue_id, f.t_i, f.t_f, f.removed_at
