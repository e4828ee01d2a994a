-- The mails of a period, counted in one go: rows of several parts, each as JSON. edges: the beginnings of
-- the hours or days to count by; bucket is the number of the one.
WITH mail AS MATERIALIZED (
    SELECT id, mta, width_bucket(t_i, %(edges)s::timestamptz[]) AS bucket,
           CASE WHEN origin = 'notice' THEN 'notices'
                WHEN is_submission OR origin = 'local' THEN 'from_users'
                ELSE 'from_outside' END AS kind,
           client_name, client_address, sasl_username, lower(sender) AS sender, size,
           origin = 'smtp' AS by_smtp, encryption_protocol IS NOT NULL AS encrypted
    FROM mail_between(%(since)s, %(until)s)
    WHERE received AND (%(mta)s::text IS NULL OR mta = %(mta)s)
), backscatter AS (
    SELECT count(*) AS mails
    FROM delivery_from n
    JOIN mail ON mail.id = n.id
    JOIN delivery_from f ON f.queue_id = n.notification_for AND f.id = n.notification_for_id
    JOIN delivery_to t ON t.day = n.day AND t.from_id = n.id
    WHERE n.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date + 1
      AND n.notification LIKE 'sender%%' AND mail.kind = 'notices'
      AND t.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date + 1
      AND f.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 14 AND (%(until)s AT TIME ZONE 'UTC')::date + 1
      AND t.daemon = 'smtp' AND NOT f.is_submission AND f.origin = 'smtp'
), by_bucket AS (
    SELECT bucket, count(*) AS received, coalesce(sum(size), 0) AS bytes FROM mail GROUP BY bucket
), by_kind AS (
    SELECT kind, count(*) AS received, coalesce(sum(size), 0) AS bytes,
           count(*) FILTER (WHERE by_smtp) AS by_smtp,
           count(*) FILTER (WHERE by_smtp AND encrypted) AS encrypted
    FROM mail GROUP BY kind
), by_sender AS (
    SELECT sender, count(*) AS mails, coalesce(sum(size), 0) AS bytes
    FROM mail WHERE sender IS NOT NULL GROUP BY sender
), by_client AS (
    SELECT client_name, client_address, count(*) AS mails, coalesce(sum(size), 0) AS bytes
    FROM mail WHERE client_address IS NOT NULL AND kind = 'from_outside' GROUP BY client_name, client_address
)
SELECT 'hosts' AS part, to_jsonb(x) AS found FROM (SELECT mta, count(*) AS mails FROM mail GROUP BY mta ORDER BY mta) x
UNION ALL
SELECT 'buckets', to_jsonb(x) FROM by_bucket x
UNION ALL
SELECT 'kinds', to_jsonb(x) FROM by_kind x
UNION ALL
SELECT 'backscatter', to_jsonb(x) FROM backscatter x
UNION ALL
SELECT 'distinct', jsonb_build_object('senders', (SELECT count(*) FROM by_sender WHERE sender <> ''),
                                      'clients', (SELECT count(*) FROM by_client))
UNION ALL
SELECT 'senders', to_jsonb(x) FROM (
    SELECT * FROM by_sender WHERE sender <> '' ORDER BY mails DESC, sender LIMIT %(top)s) x
UNION ALL
SELECT 'clients', to_jsonb(x) FROM (
    SELECT client_name, host(client_address) AS client_address, mails, bytes
    FROM by_client ORDER BY mails DESC, client_address, client_name LIMIT %(top)s) x
