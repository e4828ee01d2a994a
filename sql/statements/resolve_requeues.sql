-- Requeued mails whose new queue id was loaded before them.
-- day + 0: see find_halves.sql.
WITH found AS MATERIALIZED (
    SELECT old.day, old.id, new.queue_id
    FROM open_mail o
    CROSS JOIN LATERAL (
        SELECT * FROM delivery_from WHERE day = o.day AND id = o.id OFFSET 0
    ) new
    CROSS JOIN LATERAL (
        SELECT m.day, m.id, m.next_queue_id FROM delivery_from m
        WHERE m.mta = new.mta AND m.queue_id = new.orig_queue_id
          AND m.day + 0 BETWEEN new.day - 35 AND new.day AND m.removed_by = 'requeued'
          AND m.removed_at BETWEEN new.t_i - interval '1 day' AND new.t_i + interval '5 s'
        ORDER BY m.removed_at DESC LIMIT 1
    ) old
    WHERE new.origin = 'requeue' AND old.next_queue_id IS NULL
)
UPDATE delivery_from f SET next_queue_id = found.queue_id
FROM found WHERE f.day = found.day AND f.id = found.id
