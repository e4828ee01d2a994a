-- The recipients of one mail.
SELECT * FROM delivery_to WHERE day = %(day)s AND from_id = %(id)s
