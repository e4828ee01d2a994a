-- What was to be kept until today or earlier, or this one, is kept no longer. (In one statement the rows of
-- both tables are seen as they were: who deletes the case names its rows.)
WITH gone AS (
    DELETE FROM retained WHERE until <= %(today)s OR id = %(id)s RETURNING id
), rows AS (
    DELETE FROM retained_row r WHERE r.retained_id IN (SELECT id FROM gone)
)
SELECT id FROM gone
