-- Requeued mails whose new queue id was loaded before them. Where the log does not say that the old
-- one was requeued (postsuper -r ALL), the new one does.
WITH found AS MATERIALIZED (
    SELECT old.*, new.queue_id AS new_queue_id, new.t_i
    FROM open_mail o
    CROSS JOIN LATERAL (
        SELECT * FROM delivery_from WHERE day = o.day AND id = o.id OFFSET 0
    ) new
    CROSS JOIN LATERAL (
        SELECT m.day, m.id, m.mta, m.queue_id, m.next_queue_id, m.removed_by
        FROM delivery_from m
        WHERE m.mta = new.mta AND m.queue_id = new.orig_queue_id
          AND m.day BETWEEN new.day - 35 AND new.day AND m.t_i <= new.t_i
          AND CASE WHEN m.removed_by = 'requeued'
                  THEN m.removed_at BETWEEN new.t_i - interval '1 day' AND new.t_i + interval '5 s'
                  ELSE coalesce(m.removed_by IN ('vanished', 'age'), m.removed_at IS NULL)
                       AND (m.queued_at IS NOT NULL OR m.held_at IS NOT NULL)
                       AND (m.removed_at >= new.t_i - interval '1 day') IS NOT FALSE END
        ORDER BY m.t_i DESC LIMIT 1
    ) old
    WHERE new.origin = 'requeue' AND old.next_queue_id IS NULL
), closed AS (
    UPDATE open_mail o SET ended_at = found.t_i FROM found
    WHERE o.mta = found.mta AND o.queue_id = found.queue_id AND o.id = found.id
      AND found.removed_by IS DISTINCT FROM 'requeued'
)
UPDATE delivery_from f
SET next_queue_id = found.new_queue_id, removed_by = 'requeued',
    removed_at = CASE WHEN f.removed_by = 'requeued' THEN f.removed_at ELSE found.t_i END
FROM found WHERE f.day = found.day AND f.id = found.id
