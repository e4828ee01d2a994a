-- How many rows of a partition there are to change, and how many there are.
SELECT count(*) FILTER (WHERE {due}) AS due, count(*) AS rows
FROM {partition} r
WHERE r.day >= %(begin)s AND r.day < %(end)s
