-- Senders that were told to come back with a mail to some recipients.
SELECT * FROM noqueue
WHERE day BETWEEN %(first)s AND %(last)s AND refused AND temporary AND from_id IS NULL
  AND lower(sender) = ANY (%(senders)s) AND lower(recipient) = ANY (%(recipients)s)
ORDER BY t, id
