-- Verdicts, as pflogsumm counts them: reject, reject_warning, hold and discard of smtpd and postscreen
-- as they stand; of cleanup those of header and body checks and of milters at the end of the message.
-- A milter's verdict by smtpd, a proxy's, and what postscreen drops do not count. Two kinds of rows:
-- counts by quarter of an hour (t), and by what is said.
WITH told AS (
    SELECT date_bin('15 minutes', t, 'epoch') AS t, daemon, protocol_state, reply_code, dsn, reason,
           sender, recipient, client_name, host(client_address) AS client_address,
           CASE WHEN daemon = 'cleanup' THEN substring(action FROM '[^-]*$') ELSE action END AS word
    FROM noqueue
    WHERE day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 31 AND (%(until)s AT TIME ZONE 'UTC')::date + 6
      AND t >= %(since)s AND t < %(until)s AND mta = coalesce(%(mta)s, mta)
      AND syslog_name IN ('postfix', 'postfix/smtps', 'postfix/submission')
      AND (daemon IN ('smtpd', 'postscreen')
           OR daemon = 'cleanup' AND coalesce(protocol_state, 'END-OF-MESSAGE') = 'END-OF-MESSAGE')
)
SELECT word, t, daemon, protocol_state, reply_code, dsn, reason, sender, recipient, client_name,
       client_address, GROUPING(t) = 0 AS is_time, count(*) AS count
FROM told
WHERE CASE WHEN daemon = 'cleanup' THEN word IN ('reject', 'warning', 'hold', 'discard')
           ELSE word IN ('reject', 'reject_warning', 'hold', 'discard') END
GROUP BY GROUPING SETS (
    (word, t),
    (word, daemon, protocol_state, reply_code, dsn, reason, sender, recipient, client_name, client_address))
