-- Mails of a host that were in the queue and had no line since a moment, nor were seen there by
-- reconcile: closed so long (`kept`) after that last sign of them, whenever this runs.
WITH old AS MATERIALIZED (
    SELECT o.mta, o.queue_id, o.day, o.id, greatest(o.t_f, o.seen_at) + %(kept)s AS t
    FROM open_mail o
    CROSS JOIN LATERAL (
        SELECT * FROM delivery_from WHERE day = o.day AND id = o.id OFFSET 0
    ) f
    WHERE o.mta = %(mta)s AND o.ended_at IS NULL AND greatest(o.t_f, o.seen_at) < %(before)s
      AND f.removed_at IS NULL AND (f.queued_at IS NOT NULL OR f.held_at IS NOT NULL)
), closed AS (
    UPDATE open_mail o SET ended_at = old.t FROM old
    WHERE o.mta = old.mta AND o.queue_id = old.queue_id AND o.id = old.id
)
UPDATE delivery_from f SET removed_at = old.t, removed_by = 'age'
FROM old WHERE f.day = old.day AND f.id = old.id
