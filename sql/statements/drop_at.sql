-- A row, locked before.
DELETE FROM {table} WHERE ctid = %(place)s::tid
