-- Of which host and time each source told lines, and what it lost in between.
SELECT o.kind, o.name, told.mta, told.t_from, told.t_to, lost.gaps, lost.lost
FROM stored_time told
JOIN source o ON o.id = told.source_id
CROSS JOIN LATERAL (
    SELECT count(*) AS gaps, sum(g.lost)::bigint AS lost FROM gap g
    WHERE g.source_id = told.source_id AND g.mta = told.mta
) lost
ORDER BY told.mta, told.t_from, told.source_id
