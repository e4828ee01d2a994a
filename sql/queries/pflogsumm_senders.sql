-- Senders, as pflogsumm counts them: at a queue id's first "queue active", if a client or pickup was
-- seen before; with the client, for which mails without a sender's domain count.
WITH mail AS (
    SELECT queue_id, t_i, queued_at, sender, size, client_name, uid,
           coalesce(host(client_address), 'unknown') AS client_address,
           uid IS NOT NULL
           OR client_name IS NOT NULL AND coalesce(service, '') IN ('', 'smtps', 'submission') AS received
    FROM delivery_from
    WHERE day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 31 AND (%(until)s AT TIME ZONE 'UTC')::date + 6
      AND t_f >= %(since)s AND t_i < %(until)s AND mta = coalesce(%(mta)s, mta)
      AND syslog_name = 'postfix'
), active AS (
    SELECT DISTINCT ON (queue_id) * FROM mail
    WHERE queued_at < %(until)s AND strpos(sender, '>') = 0
    ORDER BY queue_id, queued_at, t_i
), came AS (
    SELECT DISTINCT ON (a.queue_id) a.sender, a.size, m.uid, m.client_name, m.client_address
    FROM active a
    JOIN mail m ON m.queue_id = a.queue_id AND m.received AND m.t_i >= %(since)s AND m.t_i <= a.queued_at
    WHERE a.queued_at >= %(since)s
    ORDER BY a.queue_id, m.t_i DESC
)
SELECT sender, uid IS NOT NULL AS is_local, client_name, client_address, count(*) AS count,
       coalesce(sum(size), 0)::bigint AS size
FROM came GROUP BY 1, 2, 3, 4
