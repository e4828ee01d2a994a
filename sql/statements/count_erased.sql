-- What an erasure deleted and changed, portion by portion.
UPDATE erasure SET rows = rows + %(rows)s WHERE id = ANY (%(ids)s)
