-- Those of some names that have logged in.
SELECT name FROM unnest(%(names)s::text[]) name
WHERE EXISTS (SELECT FROM login l WHERE lower(l.sasl_username) = lower(name) AND l.succeeded > 0)
