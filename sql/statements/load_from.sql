-- The open mails of the batch's queue ids.
SELECT f.*, o.born AS born
FROM batch_key k
JOIN open_mail o ON o.mta = k.mta AND o.queue_id = k.queue_id
JOIN delivery_from f ON f.day = o.day AND f.id = o.id
ORDER BY f.t_i, f.id
