-- A source that is read for the first time.
INSERT INTO source (kind, identity, name, position, digest, t)
VALUES (%(kind)s, %(identity)s, %(name)s, %(position)s, %(digest)s, %(t)s)
RETURNING id, kind, identity, name, position, digest, t, state
