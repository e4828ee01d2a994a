-- Of which hosts sources told lines, from when to when: of a journal up to where it was read.
-- Skips from one source and host to the next: the table is long.
WITH RECURSIVE told AS (
    (SELECT source_id, mta FROM stored_span ORDER BY source_id, mta LIMIT 1)
    UNION ALL
    SELECT next.source_id, next.mta
    FROM told CROSS JOIN LATERAL (
        SELECT s.source_id, s.mta FROM stored_span s
        WHERE (s.source_id, s.mta) > (told.source_id, told.mta)
        ORDER BY s.source_id, s.mta LIMIT 1
    ) next
)
SELECT told.mta, o.kind, first.t_from, greatest(last.t_to, o.t) AS t_to
FROM told
JOIN source o ON o.id = told.source_id
CROSS JOIN LATERAL (
    SELECT s.t_from FROM stored_span s WHERE s.source_id = told.source_id AND s.mta = told.mta
    ORDER BY s.id LIMIT 1
) first
CROSS JOIN LATERAL (
    SELECT s.t_to FROM stored_span s WHERE s.source_id = told.source_id AND s.mta = told.mta
    ORDER BY s.id DESC LIMIT 1
) last
WHERE %(mta_like)s::text[] IS NULL OR lower(told.mta) LIKE ANY (%(mta_like)s::text[])
ORDER BY first.t_from, told.mta
