-- A partition into its copy: rows that are due with the key of their month, the others as they are.
WITH key AS MATERIALIZED (
    SELECT month, hash_masks(key) AS masks FROM hash_key WHERE purpose = 'pseudonym'
)
INSERT INTO {copy} ({columns})
SELECT {pseudonyms}
FROM {partition} r
CROSS JOIN LATERAL (
    SELECT ({due}) AS due, (SELECT key.masks FROM key WHERE key.month = date_trunc('month', r.day)::date) AS masks
    OFFSET 0
) k
