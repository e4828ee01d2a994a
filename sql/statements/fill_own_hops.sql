-- Which filters and hosts of ours mails of a day were handed to and came in from again.
INSERT INTO own_hop (kind, relay, seen)
SELECT CASE WHEN j.to_id IS NULL THEN 'proxy'
            WHEN t.daemon = 'pipe' AND t.next_queue_id IS NULL THEN 'pipe'
            ELSE 'queued' END,
       coalesce(t.relay, ''), max(j.day)
FROM journey j
LEFT JOIN delivery_to t ON t.day = j.day AND t.id = j.to_id AND t.day = %(day)s
WHERE j.how <> 'notice' AND j.how <> 'forward' AND j.day = %(day)s
  AND j.next_day BETWEEN %(day)s - 1 AND %(day)s + 8
GROUP BY 1, 2
ON CONFLICT (kind, relay) DO UPDATE SET seen = greatest(own_hop.seen, excluded.seen)
