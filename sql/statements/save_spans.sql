-- Lines that a source told of a host: behind its latest run if that is short, else a new run.
WITH told AS (
    SELECT n.*, (SELECT max(s.id) FROM stored_span s
                 WHERE s.source_id = n.source_id AND s.mta = n.mta) AS latest
    FROM unnest(%(sources)s::bigint[], %(mtas)s::text[], %(firsts)s::timestamptz[],
                %(lasts)s::timestamptz[], %(lines)s::bytea[])
         WITH ORDINALITY n (source_id, mta, t_from, t_to, lines, number)
), grown AS (
    UPDATE stored_span s SET t_from = least(s.t_from, told.t_from),
                             t_to = greatest(s.t_to, told.t_to), lines = s.lines || told.lines
    FROM told
    WHERE s.source_id = told.source_id AND s.mta = told.mta AND s.id = told.latest
      AND octet_length(s.lines) + octet_length(told.lines) <= 1024
      AND greatest(s.t_to, told.t_to) - least(s.t_from, told.t_from) <= interval '1 day'
    RETURNING told.number
)
INSERT INTO stored_span (source_id, mta, t_from, t_to, lines)
SELECT source_id, mta, t_from, t_to, lines FROM told
WHERE NOT EXISTS (SELECT FROM grown g WHERE g.number = told.number)
ORDER BY number
