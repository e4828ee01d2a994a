-- A portion of the rows of a partition that are too old.
DELETE FROM {partition} WHERE ctid = ANY (ARRAY(
    SELECT r.ctid FROM {partition} r WHERE {old} LIMIT %(portion)s))
