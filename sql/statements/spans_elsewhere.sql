-- What other sources told of these hosts about these times; machines' journals never share lines.
SELECT DISTINCT ON (s.source_id, s.mta, s.id) s.source_id, s.mta, s.lines, o.kind, o.name, o.t_first, o.t
FROM unnest(%(mtas)s::text[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[])
     w (mta, t_first, t_last)
JOIN stored_span s ON s.mta = w.mta AND s.t_from <= w.t_last
 AND s.t_to BETWEEN w.t_first AND w.t_last + interval '1 day'
JOIN source o ON o.id = s.source_id
WHERE s.source_id <> ALL (%(own)s) AND NOT (o.kind = 'journal' AND %(is_journal)s)
ORDER BY s.source_id, s.mta, s.id
