-- A recipient's row that went into another one.
DELETE FROM delivery_to WHERE day = %(day)s AND id = %(id)s
