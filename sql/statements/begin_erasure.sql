-- Somebody is about to be forgotten; from now on older lines about them are not stored.
INSERT INTO erasure (kind, tags, hash, erased_at, ticket)
VALUES (%(kind)s, %(tags)s, %(hash)s, clock_timestamp(), %(ticket)s)
RETURNING id
