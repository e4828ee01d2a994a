-- The latest mails that are in the queue, before a time already reached. hits: how many there are
-- from there on.
SELECT f.day, f.id, f.t_i AS t, count(*) OVER () AS hits
FROM open_mail o
JOIN delivery_from f ON f.day = o.day AND f.id = o.id
WHERE o.ended_at IS NULL AND f.removed_at IS NULL AND coalesce(f.queued_at, f.held_at) IS NOT NULL
  AND f.t_i < %(until)s AND f.t_f >= %(since)s
  AND (f.t_i, f.id) < (%(before)s, %(before_id)s)
  AND (%(probes)s OR f.origin <> 'probe')
ORDER BY f.t_i DESC, f.id DESC
LIMIT %(most)s
