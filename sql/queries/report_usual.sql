-- Totals of the periods before, one row for each that is wholly covered.
SELECT p.number, m.*
FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY p (since, until, number)
CROSS JOIN LATERAL (
    SELECT sum(received)::bigint AS received, sum(from_outside)::bigint AS from_outside,
           sum(from_users)::bigint AS from_users, sum(notices)::bigint AS notices,
           sum(received_bytes)::bigint AS bytes_received, sum(delivered)::bigint AS delivered,
           sum(accepted_elsewhere)::bigint AS accepted_elsewhere, sum(returned)::bigint AS returned,
           sum(expired)::bigint AS expired, sum(discarded)::bigint AS discarded,
           sum(deleted)::bigint AS deleted, sum(delayed)::bigint AS delayed,
           sum(delivered_bytes)::bigint AS bytes_delivered
    FROM mail_hourly
    WHERE hour >= p.since AND hour < p.until AND (%(mta)s::text IS NULL OR mta = %(mta)s)
) m
WHERE m.received IS NOT NULL AND least((SELECT min(hour) FROM mail_hourly), (SELECT min(hour) FROM noqueue_hourly)) < p.since + interval '1 hour'
ORDER BY p.number
