-- Runs of postsuper: a batch may hold a part of one that is stored. It is the same run where host,
-- instance, process and action agree, one of the two has no total yet, and the times fit (b.t + and
-- - longest are the bounds that the index can take; shuffle is less than longest).
WITH near AS (
    SELECT DISTINCT ON (b.number) b.number, b.t, e.id
    FROM batch_event b
    JOIN queue_event e ON e.mta = b.mta AND e.syslog_name = b.syslog_name AND e.action = b.action
                      AND e.pid IS NOT DISTINCT FROM b.pid
    WHERE (e.messages IS NULL OR b.messages IS NULL)
      AND e.t >= b.t - CASE WHEN e.messages IS NULL THEN %(longest)s ELSE %(shuffle)s END
      AND e.t BETWEEN b.t - %(longest)s AND b.t + %(longest)s
    ORDER BY b.number, greatest(e.t, b.t) - least(e.t, b.t), e.id
), same AS MATERIALIZED (
    SELECT DISTINCT ON (id) number, id FROM near ORDER BY id, t
), updated AS (
    UPDATE queue_event e
    SET t = greatest(e.t, b.t), named = e.named + b.named, messages = coalesce(e.messages, b.messages)
    FROM same JOIN batch_event b USING (number)
    WHERE e.id = same.id
)
INSERT INTO queue_event (mta, t, syslog_name, pid, action, named, messages)
SELECT mta, t, syslog_name, pid, action, named, messages
FROM batch_event WHERE number NOT IN (SELECT number FROM same)
ORDER BY number
