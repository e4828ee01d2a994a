-- What was refused and why, most frequent first; addresses are taken out of the reasons, so that
-- the same reason for two recipients counts as one.
SELECT
    count(*) AS times,
    daemon,
    action,
    protocol_state,
    reply_code,
    dsn,
    left(regexp_replace(reason, '<[^>]*>|\[[^]]*\]', '<...>', 'g'), 70) AS reason,
    to_char(max(t), 'YYYY-MM-DD HH24:MI:SS') AS last
FROM noqueue
WHERE refused
GROUP BY daemon, action, protocol_state, reply_code, dsn,
    left(regexp_replace(reason, '<[^>]*>|\[[^]]*\]', '<...>', 'g'), 70)
ORDER BY times DESC, last DESC
LIMIT 20;
