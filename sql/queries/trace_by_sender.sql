-- The latest mails of an envelope sender among those of some days; case does not matter.
SELECT day, id
FROM delivery_from
WHERE lower(sender) = lower(%(sender)s) AND day BETWEEN %(first)s AND %(last)s
ORDER BY day DESC, id DESC
LIMIT %(most)s
