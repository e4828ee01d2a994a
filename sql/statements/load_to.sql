-- The recipients of the open mails of the batch's queue ids.
SELECT t.*
FROM batch_key k
JOIN open_mail o ON o.mta = k.mta AND o.queue_id = k.queue_id
JOIN delivery_to t ON t.day = o.day AND t.from_id = o.id
