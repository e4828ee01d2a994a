-- As many blocks of row numbers as a batch needs: a number from the sequence is the first of a block.
SELECT nextval('row_id') FROM generate_series(1, %(count)s)
