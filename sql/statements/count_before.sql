-- Rows of a partition from before a day.
SELECT count(*) AS rows FROM {partition} WHERE day < %(first)s
