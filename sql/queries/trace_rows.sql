-- Mails by their keys.
SELECT * FROM delivery_from WHERE day = ANY (%(days)s) AND id = ANY (%(ids)s) ORDER BY t_i, id
