-- Mails still open whose queue id another mail got later: their queue files are gone. Needed where
-- files were loaded newest first; else the merge has seen it. The sources told these mails.
WITH gone AS MATERIALIZED (
    SELECT o.mta, o.queue_id, o.day, o.id, next.t_i
    FROM open_mail o
    CROSS JOIN LATERAL (
        SELECT * FROM delivery_from WHERE day = o.day AND id = o.id OFFSET 0
    ) f
    CROSS JOIN LATERAL (
        SELECT n.t_i FROM delivery_from n
        WHERE n.mta = o.mta AND n.queue_id = o.queue_id AND n.id <> o.id
          AND n.day BETWEEN o.day AND o.day + 35 AND n.t_i > f.t_f
          AND (n.client_name IS NOT NULL OR n.uid IS NOT NULL)
        ORDER BY n.t_i LIMIT 1
    ) next
    WHERE o.source_id = ANY (%(sources)s) AND f.removed_at IS NULL
      AND (o.ended_at IS NULL OR f.queued_at IS NOT NULL OR f.held_at IS NOT NULL)
), closed AS (
    UPDATE open_mail o SET ended_at = gone.t_i FROM gone
    WHERE o.mta = gone.mta AND o.queue_id = gone.queue_id AND o.id = gone.id
)
UPDATE delivery_from f SET removed_at = gone.t_i, removed_by = 'vanished'
FROM gone
WHERE f.day = gone.day AND f.id = gone.id
  AND (f.queued_at IS NOT NULL OR f.held_at IS NOT NULL)
