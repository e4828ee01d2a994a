-- What the log lost in a period.
SELECT mta, t_from, t_to, lost, reason
FROM gap
WHERE coalesce(t_from, '-infinity') < %(until)s AND coalesce(t_to, 'infinity') >= %(since)s
  AND (%(mta)s::text IS NULL OR mta IS NULL OR mta = %(mta)s)
ORDER BY t_from NULLS FIRST, id
