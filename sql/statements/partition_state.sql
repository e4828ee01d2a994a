-- What may have changed of a partition since it was looked through: rows, and mails that have ended.
SELECT pg_stat_get_tuples_inserted(p.oid) + pg_stat_get_tuples_updated(p.oid)
       + pg_stat_get_tuples_deleted(p.oid) AS changes,
       (SELECT count(*) FROM unfinished_mail u WHERE u.day >= %(day_from)s AND u.day < %(day_to)s) AS unfinished,
       (SELECT l.asked FROM looked_through l WHERE l.partition = p.relname AND l.step = %(step)s) AS asked,
       (SELECT l.changes FROM looked_through l WHERE l.partition = p.relname AND l.step = %(step)s) AS known
FROM pg_class p WHERE p.oid = %(partition)s::regclass
