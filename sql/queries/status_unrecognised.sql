-- What was not recognised, most frequent first.
SELECT daemon, count, t_first, t_last, sqlstate, example
FROM unrecognised ORDER BY count DESC, daemon, shape LIMIT 50
