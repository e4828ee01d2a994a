-- From when to when hosts' logs are stored, and whether a journal is followed.
SELECT s.mta, min(s.t_from) AS t_from, greatest(max(s.t_to), max(o.t)) AS t_to,
       bool_or(o.kind = 'journal') AS followed
FROM stored_span s
JOIN source o ON o.id = s.source_id
WHERE %(mta)s::text IS NULL OR s.mta = %(mta)s
GROUP BY s.mta
ORDER BY s.mta
