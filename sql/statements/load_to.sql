-- The recipients of mails by the days ($1) and ids ($2) of these.
SELECT * FROM delivery_to WHERE day = ANY ($1) AND from_id = ANY ($2)
