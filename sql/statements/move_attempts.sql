-- The history of a recipient goes to another row.
UPDATE delivery_attempt SET day = %(new_day)s, to_id = %(new_id)s WHERE day = %(day)s AND to_id = %(id)s
