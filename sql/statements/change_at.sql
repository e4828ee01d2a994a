-- A row, locked before, without somebody's names.
UPDATE {table} SET {changes} WHERE ctid = %(place)s::tid
