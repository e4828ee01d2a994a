-- The verdicts of a mail go to another row.
UPDATE noqueue SET day = %(new_day)s, from_id = %(new_id)s WHERE day = %(day)s AND from_id = %(id)s
