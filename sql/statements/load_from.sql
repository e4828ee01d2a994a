-- Mails by their days ($1) and ids ($2): one index scan per partition.
SELECT * FROM delivery_from WHERE day = ANY ($1) AND id = ANY ($2)
