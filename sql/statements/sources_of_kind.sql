-- All sources of a kind.
SELECT id, kind, identity, name, position, digest, t, state FROM source WHERE kind = %(kind)s ORDER BY id
