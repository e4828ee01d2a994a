-- A portion of the rows of a partition that are due.
DELETE FROM {partition} WHERE ctid = ANY (ARRAY(
    SELECT r.ctid FROM {partition} r
    WHERE r.day >= %(begin)s AND r.day < %(end)s AND {due}
    LIMIT %(portion)s))
