-- The latest mails that may have a recipient with a status or fate, before a time already reached;
-- whether it is so is told by the whole way of the mail. hits: how many there are from there on.
SELECT day, id, t, count(*) OVER () AS hits
FROM (
    SELECT DISTINCT f.day, f.id, f.t_i AS t
    FROM delivery_from f
    LEFT JOIN delivery_to t ON t.day = f.day AND t.from_id = f.id
    WHERE f.day BETWEEN %(first)s AND %(last)s AND f.t_i < %(until)s
      AND coalesce(t.t_f, f.t_f) >= %(since)s
      AND (f.t_i, f.id) < (%(before)s, %(before_id)s)
      AND (%(probes)s OR f.origin <> 'probe')
      AND CASE %(status)s
          WHEN 'returned' THEN t.status IN ('bounced', 'undeliverable')
          WHEN 'expired' THEN f.expired_at IS NOT NULL
          WHEN 'held' THEN f.held_at IS NOT NULL AND f.removed_at IS NULL
          WHEN 'waiting' THEN f.removed_at IS NULL
          WHEN 'deleted' THEN f.removed_by = 'postsuper'
          WHEN 'vanished' THEN f.removed_by = 'vanished'
          WHEN 'refused' THEN f.accepted IS FALSE
          WHEN 'not completed' THEN f.accepted IS NULL
          WHEN 'probe' THEN f.origin = 'probe'
          WHEN 'discarded' THEN t.daemon = 'discard' OR t.reason IN ('discarded', 'delivered to file: /dev/null')
              OR f.removed_by = 'discarded' OR f.verdict LIKE '%%discard'
          WHEN 'swallowed by filter' THEN t.status = 'sent' AND t.daemon = 'smtp' AND t.next_queue_id IS NULL
              AND t.relay_address <<= ANY ('{127.0.0.0/8,::1}'::inet[])
          WHEN 'accepted elsewhere' THEN t.status = 'sent' AND t.daemon = 'smtp'
          WHEN 'delivered' THEN t.status = 'sent' AND t.daemon <> 'smtp'
          WHEN 'filtered on' THEN t.status = 'sent'
          WHEN 'handed on' THEN t.status = 'sent' OR f.removed_by = 'requeued'
          ELSE t.status = %(status)s
      END
) found
ORDER BY t DESC, id DESC
LIMIT %(most)s
