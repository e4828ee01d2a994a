-- Rows of a partition that are too old.
SELECT count(*) AS rows FROM {partition} r WHERE {old}
