-- The latest twenty deliveries, one row per recipient.
SELECT
    to_char(delivery_to.t_f, 'MM-DD HH24:MI:SS') AS time,
    CASE delivery_from.sender WHEN '' THEN '<>' ELSE delivery_from.sender END AS sender,
    delivery_to.recipient,
    delivery_to.status,
    coalesce(delivery_to.relay_name, delivery_to.daemon) AS relay,
    delivery_to.attempts AS tries,
    delivery_to.delay,
    left(delivery_to.reason, 48) AS reason
FROM delivery_to
JOIN delivery_from ON delivery_from.day = delivery_to.day AND delivery_from.id = delivery_to.from_id
WHERE delivery_from.origin <> 'probe'
ORDER BY delivery_to.t_f DESC, delivery_to.id DESC
LIMIT 20;
