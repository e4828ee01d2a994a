-- The mails of a period, counted in one pass: rows of several parts, each as JSON. edges: the beginnings
-- of the hours or days to count by; bucket is the number of the one.
WITH mail AS (
    SELECT width_bucket(t_i, %(edges)s::timestamptz[]) AS bucket,
           CASE WHEN origin = 'notice' THEN 'notices'
                WHEN is_submission OR origin = 'local' THEN 'from_users'
                ELSE 'from_outside' END AS kind,
           CASE WHEN origin = 'smtp' AND NOT is_submission THEN client_address END AS client_address,
           CASE WHEN origin = 'smtp' AND NOT is_submission THEN client_name END AS client_name,
           lower(sender COLLATE "C") AS sender, size,
           origin = 'smtp' AS by_smtp, encryption_protocol IS NOT NULL AS encrypted
    FROM mail_between(%(since)s, %(until)s)
    WHERE received AND (%(mta)s::text IS NULL OR mta = %(mta)s)
    OFFSET 0  -- each expression is worked out once
), counted AS MATERIALIZED (
    SELECT grouping(bucket, kind, sender, client_address) AS keys, bucket, kind, by_smtp, encrypted,
           sender, client_name, client_address, count(*) AS mails, coalesce(sum(size), 0)::bigint AS bytes
    FROM mail
    GROUP BY GROUPING SETS ((bucket), (kind, by_smtp, encrypted), (sender), (client_address, client_name))
), backscatter AS (
    SELECT count(*) AS mails
    FROM delivery_from n
    JOIN delivery_from f ON f.queue_id = n.notification_for AND f.id = n.notification_for_id
    JOIN delivery_to t ON t.day = n.day AND t.from_id = n.id
    WHERE n.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date + 1
      AND n.t_i >= %(since)s AND n.t_i < %(until)s AND n.origin = 'notice' AND n.notification LIKE 'sender%%'
      AND (%(mta)s::text IS NULL OR n.mta = %(mta)s)
      AND t.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date + 1
      AND f.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 14 AND (%(until)s AT TIME ZONE 'UTC')::date + 1
      AND t.daemon = 'smtp' AND NOT f.is_submission AND f.origin = 'smtp'
)
SELECT 'buckets' AS part, to_jsonb(x) AS found FROM (
    SELECT bucket, mails AS received, bytes FROM counted WHERE keys = 7) x
UNION ALL
SELECT 'kinds', to_jsonb(x) FROM (
    SELECT kind, by_smtp, encrypted, mails AS received, bytes FROM counted WHERE keys = 11) x
UNION ALL
SELECT 'backscatter', to_jsonb(x) FROM backscatter x
UNION ALL
SELECT 'distinct', to_jsonb(x) FROM (
    SELECT count(*) FILTER (WHERE keys = 13 AND sender <> '') AS senders,
           (SELECT count(client_address) FROM (
               SELECT client_address FROM counted WHERE keys = 14 GROUP BY client_address) c) AS clients FROM counted) x
UNION ALL
SELECT 'senders', to_jsonb(x) FROM (
    SELECT sender, mails, bytes FROM counted WHERE keys = 13 AND sender <> ''
    ORDER BY mails DESC, sender LIMIT %(top)s) x
UNION ALL
SELECT 'clients', to_jsonb(x) FROM (
    SELECT client_name, host(client_address) AS client_address, mails, bytes
    FROM counted WHERE keys = 14 AND client_address IS NOT NULL
    ORDER BY mails DESC, client_address, client_name COLLATE "C" LIMIT %(top)s) x
