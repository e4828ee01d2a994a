-- A portion of the logins that are too old.
DELETE FROM login WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM login r WHERE {old} LIMIT %(portion)s))
