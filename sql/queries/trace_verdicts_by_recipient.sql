-- The latest verdicts on a recipient among those of some days; case does not matter.
SELECT day, id
FROM noqueue
WHERE lower(recipient) = lower(%(recipient)s) AND day BETWEEN %(first)s AND %(last)s
ORDER BY day DESC, id DESC
LIMIT %(most)s
