-- A recipient's row goes to another mail.
UPDATE delivery_to SET day = %(new_day)s, from_id = %(new_id)s WHERE day = %(day)s AND id = %(id)s
