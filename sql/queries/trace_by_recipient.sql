-- The latest mails to a final recipient among those of some days; case does not matter.
SELECT DISTINCT day, from_id AS id
FROM delivery_to
WHERE lower(recipient) = lower(%(recipient)s) AND day BETWEEN %(first)s AND %(last)s
ORDER BY day DESC, from_id DESC
LIMIT %(most)s
