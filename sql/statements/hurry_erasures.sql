-- Erasures that waited for what is retained no longer: the next clean-up tries them.
UPDATE erasure SET waits_for = NULL WHERE done_at IS NULL
