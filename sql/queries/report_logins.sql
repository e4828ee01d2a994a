-- Logins of a period. kind total: one row, what failed, from how many addresses, for how many accounts.
-- client: who guesses, most failures first. account: who succeeded after more than ten failures, of
-- this account from anywhere, or from the same address where the log does not name the account.
WITH told AS MATERIALIZED (
    SELECT ctid AS place, client_address, client_name, sasl_username, lower(sasl_username) AS account,
           failed, succeeded, t_i, t_f, CASE WHEN failed > 0 THEN t_i ELSE t_f END AS at
    FROM login
    WHERE hour > %(since)s::timestamptz - interval '1 hour' AND hour < %(until)s
      AND t_f >= %(since)s AND t_i < %(until)s AND (%(mta)s::text IS NULL OR mta = %(mta)s)
), of_accounts AS (
    SELECT place, sum(failed) OVER (PARTITION BY account ORDER BY at) AS failed
    FROM told
    WHERE account IN (SELECT account FROM told GROUP BY account HAVING sum(failed) > 0 AND sum(succeeded) > 0)
), of_clients AS (
    SELECT place, sum(failed) OVER (PARTITION BY client_address ORDER BY at) AS failed,
           sum(failed) FILTER (WHERE account IS NULL) OVER (PARTITION BY client_address ORDER BY at) AS unnamed
    FROM told
    WHERE client_address IN (
        SELECT client_address FROM told GROUP BY client_address HAVING sum(failed) > 0 AND sum(succeeded) > 0)
), suspect AS (
    SELECT t.account, t.sasl_username, t.client_address, t.client_name, t.t_f,
           CASE WHEN t.account IS NULL THEN c.failed
                ELSE coalesce(a.failed, 0) + coalesce(c.unnamed, 0) END AS failed
    FROM told t
    LEFT JOIN of_accounts a USING (place)
    LEFT JOIN of_clients c USING (place)
    WHERE t.succeeded > 0
), accounts AS (
    SELECT account, min(sasl_username) AS sasl_username, max(failed) AS failed, min(t_f) AS t_i,
           (array_agg(client_address ORDER BY t_f))[1] AS client_address,
           (array_agg(client_name ORDER BY t_f))[1] AS client_name
    FROM suspect WHERE failed > 10 GROUP BY account, CASE WHEN account IS NULL THEN client_address END
), clients AS (
    SELECT client_address, max(client_name) AS client_name, sum(failed) AS failed,
           sum(succeeded) AS succeeded, count(DISTINCT account) FILTER (WHERE failed > 0) AS accounts,
           min(t_i) FILTER (WHERE failed > 0) AS t_i, max(t_f) FILTER (WHERE failed > 0) AS t_f
    FROM told GROUP BY client_address HAVING sum(failed) > 10
    ORDER BY sum(failed) DESC, client_address LIMIT 20
)
SELECT 'total' AS kind, NULL AS sasl_username, NULL AS client_address, NULL AS client_name,
       coalesce(sum(failed), 0)::bigint AS failed, coalesce(sum(succeeded), 0)::bigint AS succeeded,
       count(DISTINCT client_address) FILTER (WHERE failed > 0) AS addresses,
       count(DISTINCT account) FILTER (WHERE failed > 0) AS accounts,
       min(t_i) FILTER (WHERE failed > 0) AS t_i, max(t_f) FILTER (WHERE failed > 0) AS t_f
FROM told
UNION ALL
SELECT 'client', NULL, client_address, client_name, failed::bigint, succeeded::bigint, 1, accounts, t_i, t_f
FROM clients
UNION ALL
SELECT 'account', a.sasl_username, a.client_address, a.client_name, a.failed::bigint,
       sum(t.succeeded)::bigint, count(DISTINCT t.client_address), 1, a.t_i, max(t.t_f)
FROM accounts a
JOIN told t ON t.succeeded > 0 AND t.account IS NOT DISTINCT FROM a.account
           AND (a.account IS NOT NULL OR t.client_address = a.client_address)
GROUP BY a.sasl_username, a.client_address, a.client_name, a.failed, a.t_i
ORDER BY kind DESC, failed DESC, client_address
