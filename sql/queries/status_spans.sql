-- Of which host and time each source told lines, and what it lost in between. Skips from one
-- source and host to the next: the table is long.
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
SELECT o.kind, o.name, told.mta, first.t_from, last.t_to, lost.gaps, lost.lost
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
CROSS JOIN LATERAL (
    SELECT count(*) AS gaps, sum(g.lost)::bigint AS lost FROM gap g
    WHERE g.source_id = told.source_id AND g.mta = told.mta
) lost
ORDER BY told.mta, first.t_from, told.source_id
