-- Erasures that were interrupted, and those that need wait no longer.
SELECT id, kind, tags, hash, erased_at FROM erasure
WHERE done_at IS NULL AND coalesce(waits_for <= %(today)s, true)
ORDER BY id
