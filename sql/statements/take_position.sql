-- The stored position; the row is locked until the end of the transaction.
SELECT position, digest FROM source WHERE id = %(id)s FOR UPDATE
