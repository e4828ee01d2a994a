-- A time for which the log lost lines.
INSERT INTO gap (source_id, mta, t_from, t_to, lost, reason)
VALUES (%(source_id)s, %(mta)s, %(t_from)s, %(t_to)s, %(lost)s, %(reason)s)
