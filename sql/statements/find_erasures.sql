-- Who was forgotten since the last look.
SELECT id, kind, tags, hash, erased_at FROM erasure WHERE id > %(known)s ORDER BY id
