-- Which mails still expect lines.
INSERT INTO open_mail (mta, queue_id, day, id, source_id, born, t_f, ended_at)
SELECT mta, queue_id, day, id, source_id, born, t_f, ended_at FROM batch_open
ON CONFLICT (mta, queue_id, id) DO UPDATE SET
    source_id = excluded.source_id, born = excluded.born,
    t_f = excluded.t_f, ended_at = excluded.ended_at
