-- Sources with the hosts of their latest line and of their open mails, and since when they are stored.
SELECT s.id, s.kind, s.identity, s.t_first,
       array_remove(array_append(o.hosts, s.mta), NULL) AS hosts
FROM source s
LEFT JOIN (SELECT source_id, array_agg(DISTINCT mta) AS hosts FROM open_mail
           WHERE ended_at IS NULL GROUP BY source_id) o ON o.source_id = s.id
ORDER BY s.id
