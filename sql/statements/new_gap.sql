-- A time for which the log lost lines; of its source's host where none is named.
INSERT INTO gap (source_id, mta, t_from, t_to, lost, reason)
SELECT %(source_id)s, coalesce(%(mta)s, mta), %(t_from)s, %(t_to)s, %(lost)s, %(reason)s
FROM source WHERE id = %(source_id)s
