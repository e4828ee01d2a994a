-- A portion of the rows of a partition that are due, each with the key of its month.
WITH key AS MATERIALIZED (
    SELECT month, hash_masks(key) AS masks FROM hash_key WHERE purpose = 'pseudonym'
), portion AS MATERIALIZED (
    SELECT r.ctid AS place,
           (SELECT key.masks FROM key WHERE key.month = date_trunc('month', r.day)::date) AS masks
    FROM {partition} r
    WHERE r.day >= %(begin)s AND r.day < %(end)s AND {due}
    LIMIT %(portion)s
)
UPDATE {partition} r SET {changes}
FROM portion k
WHERE r.ctid = k.place
