-- Count what was not recognised; the first example stays.
INSERT INTO unrecognised AS u (daemon, shape, example, sqlstate, count, t_first, t_last)
SELECT daemon, shape, min(example), sqlstate, sum(count), min(t_first), max(t_last)
FROM batch_unrecognised GROUP BY daemon, shape, sqlstate
ON CONFLICT (daemon, shape, sqlstate) DO UPDATE SET
    count = u.count + excluded.count,
    t_first = least(u.t_first, excluded.t_first),
    t_last = greatest(u.t_last, excluded.t_last)
