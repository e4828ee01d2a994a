-- What only the database knows, for the metrics of `run`: each with its name and its labels' values.
-- So many hosts have nobody; a file may name any.
(SELECT ARRAY['open_mails', mta] AS key, count(*) AS value
 FROM open_mail WHERE ended_at IS NULL GROUP BY mta ORDER BY value DESC LIMIT 1000)
UNION ALL
SELECT ARRAY['database_size_bytes'], pg_database_size(current_database())
