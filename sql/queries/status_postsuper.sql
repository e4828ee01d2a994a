-- What postsuper did to the queue lately. not_named: mails that it changed and the log does not tell.
SELECT t, mta, syslog_name, action, coalesce(messages, named) AS mails,
       greatest(messages - named, 0) AS not_named
FROM queue_event WHERE t > %(now)s - interval '7 days'
ORDER BY t DESC, id DESC LIMIT 20
