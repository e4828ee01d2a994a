-- The latest mails with a Message-ID, given with its brackets, among those of some days: one mail
-- goes through filters, forwards and hosts with the same.
SELECT day, id
FROM delivery_from
WHERE message_id = %(message_id)s AND day BETWEEN %(first)s AND %(last)s
ORDER BY day DESC, id DESC
LIMIT %(most)s
