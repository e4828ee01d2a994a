-- One mail, locked until the end of the transaction.
SELECT f.*, (SELECT o.born FROM open_mail o
             WHERE o.mta = f.mta AND o.queue_id = f.queue_id AND o.id = f.id) AS born
FROM delivery_from f WHERE f.day = %(day)s AND f.id = %(id)s FOR UPDATE OF f
