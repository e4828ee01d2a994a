-- What these sources told of these hosts about these times.
SELECT DISTINCT ON (s.source_id, s.mta, s.id) s.mta, s.lines
FROM unnest(%(mtas)s::text[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[])
     w (mta, t_first, t_last)
JOIN stored_span s ON s.mta = w.mta AND s.t_from <= w.t_last
 AND s.t_to BETWEEN w.t_first AND w.t_last + interval '1 day'
WHERE s.source_id = ANY (%(own)s)
ORDER BY s.source_id, s.mta, s.id
