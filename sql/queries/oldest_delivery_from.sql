-- The oldest day stored.
SELECT min(day) AS day FROM delivery_from
