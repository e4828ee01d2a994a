-- Of which hosts sources told lines, from when to when: of a journal up to where it was read.
SELECT told.mta, o.kind, told.t_from, greatest(told.t_to, o.t) AS t_to
FROM stored_time told
JOIN source o ON o.id = told.source_id
WHERE %(mta_like)s::text[] IS NULL OR lower(told.mta) LIKE ANY (%(mta_like)s::text[])
ORDER BY told.t_from, told.mta
