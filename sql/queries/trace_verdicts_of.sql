-- The refusals that belong to mails.
SELECT * FROM noqueue
WHERE day = ANY (%(days)s) AND from_id = ANY (%(ids)s) AND refused
ORDER BY t, id
