-- Erasures, and earlier ones of the same that were interrupted, are done; or they wait for a day.
UPDATE erasure e SET done_at = CASE WHEN %(waits_for)s::date IS NULL THEN clock_timestamp() END,
                     waits_for = %(waits_for)s
FROM erasure own
WHERE own.id = ANY (%(ids)s) AND e.done_at IS NULL
  AND (e.kind, e.hash) = (own.kind, own.hash) AND e.tags <= own.tags
