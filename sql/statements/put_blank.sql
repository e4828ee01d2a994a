-- A row that says nothing, for a moment: the server makes no new statistics of a table without rows.
INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING ctid::text
