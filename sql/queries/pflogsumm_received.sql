-- Mails that came in, as pflogsumm counts them, by quarter of an hour: a line client= of an smtpd named
-- postfix, postfix/smtps or postfix/submission, or one of pickup. Not what a filter handed back on a
-- service of another name, not notices and forwards.
SELECT date_bin('15 minutes', t_i, 'epoch') AS t, count(*) AS count
FROM delivery_from
WHERE day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 31 AND (%(until)s AT TIME ZONE 'UTC')::date + 6
  AND t_i >= %(since)s AND t_i < %(until)s AND mta = coalesce(%(mta)s, mta)
  AND syslog_name = 'postfix'
  AND (uid IS NOT NULL
       OR client_name IS NOT NULL AND coalesce(service, '') IN ('', 'smtps', 'submission'))
GROUP BY 1
