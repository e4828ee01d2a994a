-- Sources that may be the one at hand; of a file those that begin alike, longest first.
SELECT id, kind, identity, name, position, digest, t, state FROM source
WHERE kind = %(kind)s AND identity = %(identity)s
ORDER BY length(position) DESC, position DESC, id
