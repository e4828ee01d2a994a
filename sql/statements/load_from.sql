-- The open mails of the batch's queue ids. OFFSET 0 keeps the planner from joining the other way
-- round: it knows nothing of temporary tables and of partitions that grew since it planned.
SELECT f.*, o.born, o.ended_at, o.source_id, o.t_f AS latest
FROM batch_key k
CROSS JOIN LATERAL (
    SELECT * FROM open_mail WHERE mta = k.mta AND queue_id = k.queue_id OFFSET 0
) o
CROSS JOIN LATERAL (
    SELECT * FROM delivery_from WHERE day = o.day AND id = o.id OFFSET 0
) f
ORDER BY f.id
