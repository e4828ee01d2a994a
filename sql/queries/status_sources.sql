-- What is read, how far, and how long ago.
SELECT kind, name, mta, t AS read_to, date_trunc('second', %(now)s - t)::text AS lag, updated_at,
       lines, unrecognised, forged, known, too_old
FROM source
ORDER BY kind, name, id
