-- The recipients of the open mails of the batch's queue ids. OFFSET 0: see load_from.sql.
SELECT t.*
FROM batch_key k
CROSS JOIN LATERAL (
    SELECT * FROM open_mail WHERE mta = k.mta AND queue_id = k.queue_id OFFSET 0
) o
CROSS JOIN LATERAL (
    SELECT * FROM delivery_to WHERE day = o.day AND from_id = o.id OFFSET 0
) t
