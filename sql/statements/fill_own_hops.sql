-- Which filters and hosts of ours mails of a day were handed to and came from again.
INSERT INTO own_hop (kind, relay, client_address, seen)
SELECT CASE WHEN j.to_id IS NULL THEN 'proxy' WHEN t.daemon = 'pipe' AND t.next_queue_id IS NULL THEN 'pipe'
            ELSE 'queued' END,
       coalesce(t.relay, ''), coalesce(host(n.client_address), ''), max(j.day)
FROM journey j
JOIN delivery_from n ON n.day = j.next_day AND n.id = j.next_id
LEFT JOIN delivery_to t ON t.day = j.day AND t.id = j.to_id
WHERE j.how IN ('filter', 'relay', 'requeue', 'proxy') AND j.day = %(day)s AND n.day BETWEEN %(day)s - 1 AND %(day)s + 8
  AND j.next_day BETWEEN %(day)s - 1 AND %(day)s + 8
  AND (t.day = %(day)s OR j.to_id IS NULL)
GROUP BY 1, 2, 3
ON CONFLICT (kind, relay, client_address) DO UPDATE SET seen = greatest(own_hop.seen, excluded.seen);
