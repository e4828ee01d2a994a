-- What the log itself lost, latest first; lost is empty where nobody counted.
SELECT g.mta, o.kind, o.name, g.t_from, g.t_to, g.lost, g.reason
FROM gap g LEFT JOIN source o ON o.id = g.source_id
ORDER BY g.t_to DESC NULLS LAST, g.id DESC LIMIT 50
