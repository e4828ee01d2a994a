-- Pairs of rows that are one mail: `half` has no beginning, `mail` is the latest of the same host
-- and queue id that began before it and had not ended. One of them still expects lines, and was told
-- by one of the sources: the others were looked through before.
-- The index has queue_id and day: without statistics the planner would else take the primary key for
-- the range of days, and read the partition once per mail.
WITH open AS (
    SELECT f.day, f.id, f.mta, f.queue_id, f.t_i, f.t_f, f.queued_at, f.held_at, o.born, o.ended_at,
           o.source_id
    FROM open_mail o
    CROSS JOIN LATERAL (
        SELECT * FROM delivery_from WHERE day = o.day AND id = o.id OFFSET 0
    ) f
    WHERE (o.born = 0 OR o.ended_at IS NULL) AND o.source_id = ANY (%(sources)s)
)
SELECT DISTINCT ON (half_id) mail_day, mail_id, half_day, half_id, source_id
FROM (
    SELECT mail.day AS mail_day, mail.id AS mail_id, half.day AS half_day, half.id AS half_id,
           mail.t_i AS mail_t_i, half.source_id
    FROM open half
    CROSS JOIN LATERAL (
        SELECT b.day, b.id, b.t_i, b.t_f, b.removed_at, b.queued_at, b.held_at
        FROM delivery_from b
        WHERE b.mta = half.mta AND b.queue_id = half.queue_id AND b.id <> half.id
          AND b.day BETWEEN half.day - 35 AND half.day + 1
          AND b.t_i <= half.t_i + interval '5 s'
        ORDER BY b.t_i DESC LIMIT 1
    ) mail
    WHERE half.born = 0
      AND (mail.removed_at IS NULL OR mail.removed_at + interval '60 s' >= half.t_i)
      AND (mail.queued_at IS NOT NULL OR mail.held_at IS NOT NULL
           OR mail.t_f + interval '15 min' >= half.t_i)
    UNION ALL
    SELECT mail.day, mail.id, half.day, half.id, mail.t_i, mail.source_id
    FROM open mail
    CROSS JOIN LATERAL (
        SELECT h.day, h.id, h.t_i, h.client_name, h.uid, h.message_id, h.notification_for
        FROM delivery_from h
        WHERE h.mta = mail.mta AND h.queue_id = mail.queue_id AND h.id <> mail.id
          AND h.day BETWEEN mail.day - 1 AND mail.day + 35
          AND h.t_i >= mail.t_i - interval '5 s'
        ORDER BY h.t_i LIMIT 1
    ) half
    WHERE mail.ended_at IS NULL
      AND half.client_name IS NULL AND half.uid IS NULL
      AND half.message_id IS NULL AND half.notification_for IS NULL
      AND (mail.queued_at IS NOT NULL OR mail.held_at IS NOT NULL
           OR mail.t_f + interval '15 min' >= half.t_i)
) pairs
ORDER BY half_id, mail_t_i DESC
LIMIT %(most)s
