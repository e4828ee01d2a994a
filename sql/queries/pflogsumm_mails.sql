-- Queue ids with a deferral, and those with a delivery before which no size was logged: its latest
-- recipient. The id of a mail in the queue may have been another's before.
WITH record AS (
    SELECT r.queue_id, r.recipient, r.t, r.status
    FROM delivery_record r
    JOIN delivery_from f ON f.day = r.day AND f.id = r.from_id AND f.syslog_name = 'postfix'
    WHERE r.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 31 AND (%(until)s AT TIME ZONE 'UTC')::date + 6
      AND r.t >= %(since)s AND r.t < %(until)s AND r.mta = coalesce(%(mta)s, r.mta)
      AND (r.status = 'deferred'
           OR r.status = 'sent' AND (f.size IS NULL OR f.queued_at > r.t)
              AND r.reason NOT LIKE '%%forwarded as %%')
      AND strpos(r.recipient, '>') = 0 AND strpos(coalesce(r.orig_to, ''), '>') = 0
), sizeless AS (
    SELECT DISTINCT ON (queue_id) queue_id, recipient FROM record r
    WHERE status = 'sent' AND NOT EXISTS (
        SELECT FROM delivery_from f
        WHERE f.queue_id = r.queue_id AND f.queued_at <= r.t AND f.mta = coalesce(%(mta)s, f.mta)
          AND f.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 31 AND (%(until)s AT TIME ZONE 'UTC')::date + 6
          AND f.t_f >= %(since)s AND f.syslog_name = 'postfix' AND strpos(f.sender, '>') = 0)
    ORDER BY queue_id, t DESC
)
SELECT queue_id, false AS deferred, recipient AS sizeless FROM sizeless
UNION ALL
SELECT queue_id, true, NULL FROM record WHERE status = 'deferred' GROUP BY queue_id
