-- What was refused or thrown away in a period, counted in one pass: rows of several parts, each as JSON.
-- What a reason says of the address it begins with, of this client and this recipient is taken out of it.
WITH verdict AS (
    SELECT width_bucket(t, %(edges)s::timestamptz[]) AS bucket, refused, temporary, daemon, action,
           protocol_state, reply_code, dsn,
           CASE WHEN refused THEN client_name END AS client_name,
           CASE WHEN refused THEN client_address END AS client_address,
           replace(replace(CASE WHEN reason LIKE '<%%>: %%' THEN '<...' || substr(reason, strpos(reason, '>: ')) ELSE reason END,
               coalesce(host(client_address), ''), '...'),
               CASE WHEN strpos(recipient, '@') > 0 THEN recipient ELSE '' END, '...') AS reason
    FROM noqueue
    WHERE (refused OR action LIKE '%%discard') AND t >= %(since)s AND t < %(until)s
      AND day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 1 AND (%(until)s AT TIME ZONE 'UTC')::date
      AND (%(mta)s::text IS NULL OR mta = %(mta)s)
), counted AS MATERIALIZED (
    SELECT grouping(bucket, client_address, reason) AS keys, bucket, refused, temporary, daemon, action,
           protocol_state, reply_code, dsn, reason, client_name, client_address, count(*) AS times
    FROM verdict
    GROUP BY GROUPING SETS ((bucket, refused), (client_address, client_name),
                            (reason, refused, temporary, daemon, action, protocol_state, reply_code, dsn))
), by_reason AS MATERIALIZED (
    SELECT *, refusal(daemon, action, protocol_state, dsn, temporary, reason) AS refusal
    FROM counted WHERE keys = 6
)
SELECT 'kinds' AS part, to_jsonb(x) AS found FROM (
    SELECT refusal, sum(times)::bigint AS refused,
           coalesce(sum(times) FILTER (WHERE temporary), 0)::bigint AS temporary
    FROM by_reason WHERE refused GROUP BY refusal) x
UNION ALL
SELECT 'buckets', to_jsonb(x) FROM (SELECT bucket, times AS refused FROM counted WHERE keys = 3 AND refused) x
UNION ALL
SELECT 'clients', to_jsonb(x) FROM (
    SELECT client_name, host(client_address) AS client_address, times AS refused
    FROM counted WHERE keys = 5 AND client_address IS NOT NULL
    ORDER BY times DESC, client_address, client_name COLLATE "C" LIMIT %(top)s) x
UNION ALL
SELECT 'reasons', to_jsonb(x) FROM (
    SELECT refusal, reply_code, dsn, reason, sum(times)::bigint AS times
    FROM by_reason WHERE refused GROUP BY 1, 2, 3, 4) x
UNION ALL
SELECT 'discards', to_jsonb(x) FROM (
    SELECT reason, sum(times)::bigint AS times FROM by_reason WHERE NOT refused GROUP BY reason) x
