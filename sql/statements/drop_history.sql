-- The history of a recipient.
DELETE FROM delivery_attempt WHERE day = %(day)s AND to_id = %(id)s
