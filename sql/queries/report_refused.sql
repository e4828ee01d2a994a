-- What was refused in a period: rows of several parts, each as JSON. What a reason says of this client
-- and of these addresses is taken out of it.
WITH verdict AS MATERIALIZED (
    SELECT width_bucket(t, %(edges)s::timestamptz[]) AS bucket, refused, refusal(noqueue) AS refusal,
           temporary, action, reply_code, dsn, client_name, client_address, reason AS example,
           replace(replace(replace(replace(reason,
               coalesce(host(client_address), ''), '...'),
               coalesce(CASE WHEN recipient LIKE '%%@%%' THEN recipient END, ''), '...'),
               coalesce(CASE WHEN sender LIKE '%%@%%' THEN sender END, ''), '...'),
               coalesce('<' || helo_name || '>', ''), '<...>') AS reason
    FROM noqueue
    WHERE (refused OR action LIKE '%%discard') AND t >= %(since)s AND t < %(until)s
      AND day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 1 AND (%(until)s AT TIME ZONE 'UTC')::date
      AND (%(mta)s::text IS NULL OR mta = %(mta)s)
), by_kind AS (
    SELECT refusal, count(*) AS refused, count(*) FILTER (WHERE temporary) AS temporary,
           count(DISTINCT client_address) AS clients
    FROM verdict WHERE refused GROUP BY refusal
), by_client AS (
    SELECT client_name, host(client_address) AS client_address, count(*) AS refused
    FROM verdict WHERE refused AND client_address IS NOT NULL GROUP BY client_name, client_address
), by_reason AS (
    SELECT refused, refusal, reply_code, dsn, reason, count(*) AS times, min(example) AS example
    FROM verdict GROUP BY 1, 2, 3, 4, 5
)
SELECT 'kinds' AS part, to_jsonb(x) AS found FROM by_kind x
UNION ALL
SELECT 'buckets', to_jsonb(x) FROM (
    SELECT bucket, count(*) AS refused FROM verdict WHERE refused GROUP BY bucket) x
UNION ALL
SELECT 'clients', to_jsonb(x) FROM (
    SELECT * FROM by_client ORDER BY refused DESC, client_address, client_name LIMIT %(top)s) x
UNION ALL
SELECT 'reasons', to_jsonb(x) FROM by_reason x WHERE refused
UNION ALL
SELECT 'discards', to_jsonb(x) FROM by_reason x WHERE NOT refused
