-- From when to when hosts' logs are stored, and whether a journal is followed.
SELECT told.mta, min(told.t_from) AS t_from, greatest(max(told.t_to), max(o.t)) AS t_to,
       bool_or(o.kind = 'journal') AS followed
FROM stored_time told
JOIN source o ON o.id = told.source_id
WHERE %(mta)s::text IS NULL OR told.mta = %(mta)s
GROUP BY told.mta
ORDER BY told.mta
