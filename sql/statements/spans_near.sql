-- Whether another source told anything of these hosts and times; when these sources began.
SELECT (SELECT min(t_first) FROM source WHERE id = ANY (%(own)s))
WHERE EXISTS (
    SELECT FROM unnest(%(mtas)s::text[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[])
                w (mta, t_first, t_last)
    JOIN stored_span s ON s.mta = w.mta AND s.t_from <= w.t_last
     AND s.t_to BETWEEN w.t_first AND w.t_last + interval '1 day'
    JOIN source o ON o.id = s.source_id
    WHERE s.source_id <> ALL (%(own)s) AND NOT (o.kind = 'journal' AND %(is_journal)s))
