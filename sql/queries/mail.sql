-- One mail through all its rows: the one with the most to tell, together with the mails it became
-- (handed on, forwarded, requeued) and the notices about it, in the order of time.
WITH RECURSIVE busiest AS (
    SELECT delivery_from.day, delivery_from.id, delivery_from.mta
    FROM delivery_from
    LEFT JOIN delivery_to ON delivery_to.day = delivery_from.day AND delivery_to.from_id = delivery_from.id
    WHERE delivery_from.origin IN ('smtp', 'local') AND delivery_from.sender <> ''
    GROUP BY delivery_from.day, delivery_from.id, delivery_from.mta
    ORDER BY
        count(DISTINCT delivery_to.status) DESC,
        sum(delivery_to.attempts) DESC NULLS LAST,
        delivery_from.id
    LIMIT 1
), chain AS (
    SELECT day, id, mta FROM busiest
    UNION
    SELECT next.day, next.id, next.mta
    FROM chain
    JOIN delivery_from AS next ON next.mta = chain.mta AND next.day BETWEEN chain.day AND chain.day + 7
    WHERE next.notification_for_id = chain.id
        OR next.queue_id IN (
            SELECT next_queue_id FROM delivery_to
            WHERE delivery_to.day = chain.day AND delivery_to.from_id = chain.id
            UNION
            SELECT next_queue_id FROM delivery_from
            WHERE delivery_from.day = chain.day AND delivery_from.id = chain.id
        )
), mail AS (
    SELECT delivery_from.* FROM delivery_from JOIN chain USING (day, id)
), recipient AS (
    SELECT delivery_to.* FROM delivery_to JOIN chain ON chain.day = delivery_to.day AND chain.id = from_id
), event (t, rank, queue_id, event, address, detail) AS (
    SELECT t_i, 1, queue_id, 'began', CASE sender WHEN '' THEN '<>' ELSE sender END, concat_ws(', ',
        notification || ' notification for ' || notification_for, 'from ' || client_name,
        'login ' || sasl_username, 'uid ' || uid, size || ' bytes', message_id)
    FROM mail
    UNION ALL
    SELECT t, 2, noqueue.queue_id, action, recipient, concat_ws(' ', protocol_state, reply_code, dsn, reason)
    FROM noqueue JOIN chain ON chain.day = noqueue.day AND chain.id = noqueue.from_id
    UNION ALL
    SELECT queued_at, 3, queue_id, 'queued', NULL, nrcpt || ' recipients' FROM mail
    UNION ALL
    SELECT held_at, 4, queue_id, 'held', NULL, hold_reason FROM mail
    UNION ALL
    SELECT released_at, 5, queue_id, 'released', NULL, NULL FROM mail
    UNION ALL
    SELECT t, 6, queue_id, delivery_attempt.status, recipient,
        concat_ws(' ', delivery_attempt.relay, delivery_attempt.dsn, delivery_attempt.reason)
    FROM delivery_attempt JOIN recipient ON recipient.day = delivery_attempt.day AND recipient.id = to_id
    UNION ALL
    SELECT t_status, 7, queue_id, status,
        recipient || CASE WHEN orig_to <> '' THEN ' (for ' || orig_to || ')' ELSE '' END,
        concat_ws(' ', relay, dsn, reason)
    FROM recipient
    UNION ALL
    SELECT expired_at, 8, queue_id, 'expired', NULL, NULL FROM mail
    UNION ALL
    SELECT removed_at, 9, queue_id, 'removed', NULL, 'by ' || removed_by FROM mail
)
SELECT to_char(t, 'MM-DD HH24:MI:SS') AS time, queue_id, event, address, left(detail, 60) AS detail
FROM event
WHERE t IS NOT NULL
ORDER BY t, rank, queue_id, address;
