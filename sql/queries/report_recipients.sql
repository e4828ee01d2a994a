-- What became of the recipients of a period's mails, counted in one go: rows of several parts, each as
-- JSON. Each recipient counts on its last leg. What a reason says of this recipient is taken out of it.
WITH recipient AS MATERIALIZED (
    SELECT mta, width_bucket(t_i, %(edges)s::timestamptz[]) AS bucket, t_i, coalesce(fate, 'not known') AS fate,
           size, lower(recipient) AS recipient, lower(split_part(recipient, '@', -1)) AS domain,
           client_address, lower(sasl_username) AS login, attempts + skipped > 1 OR status = 'deferred' AS delayed,
           CASE WHEN daemon IN ('smtp', 'lmtp') THEN coalesce(relay_name, relay, daemon) ELSE daemon END AS relay,
           round((delay_conn_setup + delay_transmission)::numeric, 2) AS speed,
           encryption_protocol IS NOT NULL AS encrypted,
           CASE WHEN fate IN ('returned', 'expired', 'discarded', 'swallowed by filter') THEN reason END AS example,
           CASE WHEN fate IN ('returned', 'expired', 'discarded', 'swallowed by filter') THEN
               replace(replace(replace(replace(reason,
                   coalesce(CASE WHEN recipient LIKE '%%@%%' THEN recipient END, ''), '...'),
                   coalesce(host(relay_address), ''), '...'), coalesce(relay_name || '[', ''), '...['),
                   queue_id, '...') END AS reason
    FROM recipient_between(%(since)s, %(until)s)
    WHERE (fate IS NULL OR fate NOT IN ('filtered on', 'handed on', 'refused', 'not completed'))
      AND (%(mta)s::text IS NULL OR mta = %(mta)s)
), by_bucket AS (
    SELECT bucket, fate, count(*) AS recipients,
           coalesce(sum(size), 0) AS bytes, count(*) FILTER (WHERE delayed) AS delayed
    FROM recipient GROUP BY bucket, fate
), by_recipient AS (
    SELECT recipient, count(*) AS recipients, coalesce(sum(size), 0) AS bytes
    FROM recipient WHERE recipient IS NOT NULL GROUP BY recipient
), by_domain AS (
    SELECT domain, count(*) AS recipients,
           count(*) FILTER (WHERE fate IN ('delivered', 'accepted elsewhere')) AS delivered,
           count(*) FILTER (WHERE fate = 'waiting') AS waiting,
           count(*) FILTER (WHERE fate IN ('returned', 'expired')) AS returned,
           count(*) FILTER (WHERE delayed) AS delayed, coalesce(sum(size), 0) AS bytes
    FROM recipient WHERE domain IS NOT NULL GROUP BY domain
), by_login AS (
    SELECT login, count(*) AS recipients, count(DISTINCT client_address) AS clients,
           count(*) FILTER (WHERE fate IN ('returned', 'expired')) AS returned,
           count(DISTINCT domain) AS domains, min(t_i) AS first, coalesce(sum(size), 0) AS bytes
    FROM recipient WHERE login IS NOT NULL GROUP BY login
), by_reason AS (
    SELECT fate, reason, count(*) AS recipients, min(example) AS example
    FROM recipient WHERE reason IS NOT NULL GROUP BY fate, reason
), by_speed AS (
    SELECT relay, speed, count(*) AS recipients, bool_and(encrypted) AS encrypted
    FROM recipient
    WHERE speed IS NOT NULL AND fate IN ('delivered', 'accepted elsewhere') GROUP BY relay, speed
), ranked AS (
    SELECT relay, speed, sum(recipients) OVER (PARTITION BY relay ORDER BY speed) AS up_to,
           sum(recipients) OVER (PARTITION BY relay) AS recipients
    FROM by_speed
), by_relay AS (
    SELECT relay, max(recipients) AS recipients,
           min(speed) FILTER (WHERE up_to >= 0.5 * recipients) AS p50,
           min(speed) FILTER (WHERE up_to >= 0.95 * recipients) AS p95,
           min(speed) FILTER (WHERE up_to >= 0.99 * recipients) AS p99
    FROM ranked GROUP BY relay
), by_tls AS (
    SELECT count(*) AS recipients, count(*) FILTER (WHERE encrypted) AS encrypted,
           count(DISTINCT relay) FILTER (WHERE NOT encrypted) AS plain_relays
    FROM recipient WHERE fate = 'accepted elsewhere'
)
SELECT 'fates' AS part, to_jsonb(x) AS found FROM by_bucket x
UNION ALL
SELECT 'distinct', jsonb_build_object('recipients', (SELECT count(*) FROM by_recipient),
                                      'domains', (SELECT count(*) FROM by_domain),
                                      'relays', (SELECT count(*) FROM by_relay),
                                      'logins', (SELECT count(*) FROM by_login))
UNION ALL
SELECT 'recipients', to_jsonb(x) FROM (
    SELECT * FROM by_recipient ORDER BY recipients DESC, recipient LIMIT %(top)s) x
UNION ALL
SELECT 'domains', to_jsonb(x) FROM (
    SELECT * FROM by_domain ORDER BY recipients DESC, domain LIMIT %(top)s) x
UNION ALL
SELECT 'logins', to_jsonb(x) FROM (
    SELECT * FROM by_login ORDER BY recipients DESC, login LIMIT greatest(%(top)s, 20)) x
UNION ALL
SELECT 'relays', to_jsonb(x) FROM (
    SELECT * FROM by_relay ORDER BY recipients DESC, relay LIMIT %(top)s) x
UNION ALL
SELECT 'tls', to_jsonb(x) FROM by_tls x
UNION ALL
SELECT 'reasons', to_jsonb(x) FROM by_reason x
