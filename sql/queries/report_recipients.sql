-- What became of the recipients of a period's mails, counted in one pass: rows of several parts, each as
-- JSON. Each recipient counts on its last leg, but to a login on its first, the only one that has it.
-- The speed of a delivery is in hundredths of a second, to two digits. What a reason says of this
-- recipient is taken out of it.
WITH leg AS (
    SELECT *, fate IS NULL OR fate NOT IN ('filtered on', 'handed on', 'refused', 'not completed') AS last,
           ((delay_conn_setup + delay_transmission) * 100)::integer AS took
    FROM (SELECT * FROM recipient_between(%(since)s, %(until)s) OFFSET 0) one
    WHERE %(mta)s::text IS NULL OR mta = %(mta)s
    OFFSET 0  -- each expression is worked out once
), recipient AS (
    SELECT width_bucket(t_i, %(edges)s::timestamptz[]) AS bucket,
           CASE WHEN last THEN coalesce(fate, 'not known') END AS fate,
           CASE WHEN last THEN lower(recipient COLLATE "C") END AS recipient,
           CASE WHEN fate IS NULL OR fate NOT IN ('refused', 'not completed') THEN lower(sasl_username COLLATE "C") END AS login,
           CASE WHEN fate IN ('delivered', 'accepted elsewhere') THEN
               CASE WHEN daemon IN ('smtp', 'lmtp') THEN coalesce(relay_name, relay, daemon) ELSE daemon END
           END AS relay,
           CASE WHEN took < 100 THEN took WHEN took < 1000 THEN took / 10 * 10 ELSE took / 100 * 100 END AS speed,
           fate = 'accepted elsewhere' AS out, encryption_protocol IS NOT NULL AS encrypted, size,
           attempts + skipped > 1 OR status = 'deferred' AS delayed,
           CASE WHEN fate IN ('returned', 'expired', 'discarded', 'swallowed by filter', 'waiting') THEN
               replace(replace(replace(replace(reason,
                   coalesce(CASE WHEN recipient LIKE '%%@%%' THEN recipient END, ''), '...'),
                   coalesce(host(relay_address), ''), '...'), coalesce(relay_name || '[', ''), '...['),
                   queue_id, '...') END AS reason
    FROM leg
    WHERE last OR sasl_username IS NOT NULL
    OFFSET 0
), counted AS MATERIALIZED (
    SELECT grouping(bucket, recipient, login, relay, reason) AS keys, bucket, fate, recipient, login, relay,
           speed, out, encrypted, reason, count(*) AS recipients,
           coalesce(sum(size), 0)::bigint AS bytes, count(*) FILTER (WHERE delayed) AS delayed,
           count(*) FILTER (WHERE fate IN ('delivered', 'accepted elsewhere')) AS delivered,
           count(*) FILTER (WHERE fate = 'waiting') AS waiting,
           count(*) FILTER (WHERE fate IN ('returned', 'expired')) AS returned
    FROM recipient
    GROUP BY GROUPING SETS ((bucket, fate), (recipient), (login), (relay, speed, out, encrypted), (reason, fate))
), by_domain AS MATERIALIZED (
    SELECT split_part(recipient, '@', -1) AS domain, sum(recipients)::bigint AS recipients,
           sum(delivered)::bigint AS delivered, sum(waiting)::bigint AS waiting, sum(returned)::bigint AS returned,
           sum(delayed)::bigint AS delayed, sum(bytes)::bigint AS bytes
    FROM counted WHERE keys = 23 AND recipient IS NOT NULL
    GROUP BY 1
), by_speed AS MATERIALIZED (
    SELECT relay, speed, sum(recipients) AS recipients FROM counted
    WHERE keys = 29 AND relay IS NOT NULL AND speed IS NOT NULL
    GROUP BY relay, speed
), by_relay AS (
    SELECT relay, sum(recipients) AS recipients FROM by_speed
    GROUP BY relay ORDER BY 2 DESC, relay COLLATE "C" LIMIT %(top)s
), slower AS (
    SELECT s.relay, s.speed, r.recipients, sum(s.recipients) OVER (PARTITION BY s.relay ORDER BY s.speed) AS up_to
    FROM by_speed s JOIN by_relay r ON r.relay = s.relay
)
SELECT 'fates' AS part, to_jsonb(x) AS found FROM (
    SELECT bucket, fate, recipients, bytes, delayed FROM counted WHERE keys = 15 AND fate IS NOT NULL) x
UNION ALL
SELECT 'distinct', to_jsonb(x) FROM (
    SELECT count(recipient) AS recipients, (SELECT count(*) FROM by_domain) AS domains FROM counted WHERE keys = 23) x
UNION ALL
SELECT 'recipients', to_jsonb(x) FROM (
    SELECT recipient, recipients, bytes FROM counted WHERE keys = 23 AND recipient IS NOT NULL
    ORDER BY recipients DESC, recipient LIMIT %(top)s) x
UNION ALL
SELECT 'domains', to_jsonb(x) FROM (SELECT * FROM by_domain ORDER BY recipients DESC, domain LIMIT %(top)s) x
UNION ALL
SELECT 'logins', to_jsonb(x) FROM (
    SELECT login, recipients, bytes FROM counted WHERE keys = 27 AND login IS NOT NULL
    ORDER BY recipients DESC, login LIMIT greatest(%(top)s, 20)) x
UNION ALL
SELECT 'relays', to_jsonb(x) FROM (
    SELECT relay, max(recipients) AS recipients,
           min(speed) FILTER (WHERE up_to >= 0.5 * recipients) / 100.0 AS p50,
           min(speed) FILTER (WHERE up_to >= 0.95 * recipients) / 100.0 AS p95,
           min(speed) FILTER (WHERE up_to >= 0.99 * recipients) / 100.0 AS p99
    FROM slower GROUP BY relay ORDER BY 2 DESC, relay COLLATE "C") x
UNION ALL
SELECT 'tls', to_jsonb(x) FROM (
    SELECT coalesce(sum(recipients), 0)::bigint AS recipients,
           coalesce(sum(recipients) FILTER (WHERE encrypted), 0)::bigint AS encrypted,
           count(DISTINCT relay) FILTER (WHERE NOT encrypted) AS plain_relays
    FROM counted WHERE keys = 29 AND out) x
UNION ALL
SELECT 'reasons', to_jsonb(x) FROM (
    SELECT fate, reason, recipients FROM counted WHERE keys = 30 AND reason IS NOT NULL) x
