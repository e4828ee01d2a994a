-- What was refused and why, most frequent first. Addresses are taken out of the reasons, so that the
-- same reason for two recipients counts as one.
SELECT
    count(*) AS times,
    daemon,
    protocol_state AS state,
    reply_code AS code,
    dsn,
    plain.reason,
    to_char(max(t), 'MM-DD HH24:MI:SS') AS last
FROM noqueue
CROSS JOIN LATERAL (
    SELECT regexp_replace(
        regexp_replace(noqueue.reason, '^<.*?>: ', ''), '<[^>]*>|\[[^]]*\]', '<...>', 'g'
    ) AS reason
) AS plain
WHERE refused
GROUP BY daemon, protocol_state, reply_code, dsn, plain.reason
ORDER BY times DESC, last DESC, plain.reason
LIMIT 20;
