-- As many row numbers as a batch needs.
SELECT nextval('row_id') FROM generate_series(1, %(count)s)
