-- Mails received before the period's end that are still in the queue now, by recipient domain; those
-- on hold by why. open_mail is small, so this is a look at each of them.
SELECT CASE WHEN f.held_at > coalesce(f.released_at, '-infinity') THEN 'held' ELSE 'waiting' END AS state,
       coalesce(lower(split_part(t.recipient, '@', -1)), '') AS domain,
       CASE WHEN f.held_at > coalesce(f.released_at, '-infinity') THEN f.hold_reason END AS hold_reason,
       count(*) AS recipients, count(DISTINCT f.id) AS mails,
       coalesce(sum(t.attempts + t.skipped), 0)::bigint AS tries,
       min(f.t_i) AS oldest, max(t.reason) AS example
FROM open_mail o
CROSS JOIN LATERAL (SELECT * FROM delivery_from WHERE day = o.day AND id = o.id OFFSET 0) f
LEFT JOIN LATERAL (SELECT * FROM delivery_to WHERE day = o.day AND from_id = o.id OFFSET 0) t ON true
WHERE o.ended_at IS NULL AND f.removed_at IS NULL AND f.origin <> 'probe' AND f.t_i < %(until)s
  AND (f.queued_at IS NOT NULL OR f.held_at IS NOT NULL)
  AND (t.status IS NULL OR t.status NOT IN ('sent', 'bounced')) AND f.expired_at IS NULL
  AND (%(mta)s::text IS NULL OR o.mta = %(mta)s)
GROUP BY 1, 2, 3
ORDER BY 1, 4 DESC, 7, 2
