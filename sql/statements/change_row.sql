-- A row of a delivery table without somebody's names.
UPDATE {table} SET {changes} WHERE day = %(day)s AND id = %(id)s
