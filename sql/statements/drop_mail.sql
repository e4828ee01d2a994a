-- A mail's row that went into another one.
DELETE FROM delivery_from WHERE day = %(day)s AND id = %(id)s
