-- What the log itself lost, latest first.
SELECT mta, t_from, t_to, lost, reason FROM gap ORDER BY t_to DESC NULLS LAST, id DESC LIMIT 50
