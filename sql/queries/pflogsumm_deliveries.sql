-- Delivery records, as pflogsumm counts them: each line for itself. word: sent, forwarded, deferred,
-- bounced. Three kinds of rows: counts by quarter of an hour (t), by recipient, and by reason.
-- Records in which nothing was tried are kept only in part: the others count at the recipient's
-- latest time. The size is that of the queue id's first mail. A line with > in an address is not read.
WITH sized AS (
    SELECT DISTINCT ON (queue_id) queue_id, queued_at, size
    FROM delivery_from
    WHERE day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 31 AND (%(until)s AT TIME ZONE 'UTC')::date + 6
      AND t_f >= %(since)s AND t_i < %(until)s AND mta = coalesce(%(mta)s, mta)
      AND syslog_name = 'postfix' AND queued_at < %(until)s AND strpos(sender, '>') = 0
    ORDER BY queue_id, queued_at, t_i
), record AS (
    SELECT day, from_id, mta, queue_id, recipient, orig_to, t, daemon, relay, delay, status, reason,
           1 AS lines
    FROM delivery_record
    UNION ALL
    SELECT day, from_id, mta, queue_id, recipient, orig_to, t_f, 'error', 'none', NULL, 'deferred',
           'not kept: nothing was tried',
           skipped - (attempts = 0)::int - kept
    FROM delivery_to t
    CROSS JOIN LATERAL (
        SELECT count(*)::int AS kept FROM delivery_attempt a
        WHERE a.day = t.day AND a.to_id = t.id AND a.status = 'deferred'
          AND a.daemon IN ('error', 'retry', 'qmgr', 'oqmgr', 'nqmgr')
    ) history
    WHERE skipped > 0 AND skipped > (attempts = 0)::int + kept
), counted AS (
    SELECT r.lines, r.delay, r.daemon, r.relay, s.size, r.recipient,
           date_bin('15 minutes', r.t, 'epoch') AS t,
           CASE WHEN r.status = 'sent' AND r.reason LIKE '%%forwarded as %%' THEN 'forwarded'
                ELSE r.status END AS word,
           CASE WHEN r.status <> 'sent' THEN r.reason END AS reason
    FROM record r
    JOIN delivery_from f ON f.day = r.day AND f.id = r.from_id AND f.syslog_name = 'postfix'
    LEFT JOIN sized s ON s.queue_id = r.queue_id AND s.queued_at <= r.t
    WHERE r.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 31 AND (%(until)s AT TIME ZONE 'UTC')::date + 6
      AND r.t >= %(since)s AND r.t < %(until)s AND r.mta = coalesce(%(mta)s, r.mta)
      AND r.status IN ('sent', 'deferred', 'bounced')
      AND strpos(r.recipient, '>') = 0 AND strpos(coalesce(r.orig_to, ''), '>') = 0
)
SELECT word, t, recipient, daemon, relay, reason,
       GROUPING(t) = 0 AS is_time, GROUPING(recipient) = 0 AS is_recipient,
       sum(lines)::bigint AS count, coalesce(sum(size), 0)::bigint AS size,
       coalesce(sum(delay), 0) AS delay, coalesce(max(delay), 0) AS longest
FROM counted
GROUP BY GROUPING SETS ((word, t), (word, recipient), (word, daemon, relay, reason))
