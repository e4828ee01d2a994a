-- The verdicts on a mail.
DELETE FROM noqueue WHERE day = %(day)s AND from_id = %(id)s
