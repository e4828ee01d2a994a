-- What the log lost in a period; a gap without times may lie in any.
SELECT mta, t_from, t_to, lost, reason
FROM gap
WHERE coalesce(t_from, t_to, '-infinity') < %(until)s AND coalesce(t_to, t_from, 'infinity') >= %(since)s
  AND (%(mta_like)s::text[] IS NULL OR mta IS NULL OR lower(mta) LIKE ANY (%(mta_like)s::text[]))
ORDER BY t_from, id
