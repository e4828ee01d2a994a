-- Version 3: which partitions there are, with their days, is told by one view; reports follow mails to
-- the next in less time.

INSERT INTO schema_version (version, works_with) VALUES (3, 2);

-- The fence keeps pg_get_expr from those of other tables; it gives NULL for one that is dropped meanwhile.
CREATE VIEW stored_partition AS
SELECT table_name, partition, oid, day_from, day_to
FROM (
    SELECT parent.relname AS table_name, child.relname AS partition, child.oid,
           (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'FROM \(''([^'']+)''\)'))[1]::date AS day_from,
           (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'TO \(''([^'']+)''\)'))[1]::date AS day_to
    FROM pg_inherits i
    JOIN pg_class parent ON parent.oid = i.inhparent
    JOIN pg_class child ON child.oid = i.inhrelid
    WHERE parent.oid IN ('delivery_from'::regclass, 'delivery_to'::regclass,
                         'delivery_attempt'::regclass, 'noqueue'::regclass)
      AND NOT i.inhdetachpending
    OFFSET 0
) present
WHERE day_from IS NOT NULL AND day_to IS NOT NULL;
COMMENT ON VIEW stored_partition IS
    'The partitions of the tables of mail, with the days they hold: from, and up to but not including. Those on their way out are left out.';

CREATE OR REPLACE VIEW partition_changes AS
SELECT CASE table_name WHEN 'noqueue' THEN 'noqueue' ELSE 'delivery' END AS table_name, day_from, day_to,
       sum(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid)
           + pg_stat_get_tuples_deleted(oid))::bigint AS changes
FROM stored_partition
WHERE table_name <> 'delivery_attempt'
GROUP BY 1, 2, 3;

COMMENT ON FUNCTION mail_of(text, timestamptz, timestamptz, integer) IS
    'The mail of an address for its owner: what was sent from it (with the recipients as given) and what was sent to it, from p_since up to, not including, p_until, of each the latest p_most; direction is sent or received. No clients, logins, ids, other recipients; answers without addresses. Who calls it has made sure whose address it is.';

-- Few mails went on to another of ours: said to the planner, which cannot tell from the join.
CREATE OR REPLACE FUNCTION hop_between(p_first date, p_last date, p_next_first date, p_next_last date, p_after timestamptz)
RETURNS TABLE (day date, from_id bigint, to_id bigint, mta text, next_day date, next_id bigint, next_mta text)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
WITH queued AS MATERIALIZED (
    SELECT t.day, t.from_id, t.id AS to_id, t.mta, t.queue_id, n.day AS next_day, n.id AS next_id,
           n.mta AS next_mta, n.message_id, n.orig_queue_id
    FROM delivery_to t
    JOIN delivery_from n ON n.queue_id = t.next_queue_id AND n.id <> t.from_id
     AND n.day BETWEEN (t.t_status AT TIME ZONE 'UTC')::date - 1 AND (t.t_status AT TIME ZONE 'UTC')::date + 1
    WHERE t.status = 'sent' AND t.daemon IN ('smtp', 'lmtp', 'pipe') AND t.next_queue_id IS NOT NULL
      AND t.day BETWEEN p_first AND p_last AND t.t_status >= p_after AND n.day BETWEEN p_next_first AND p_next_last
)
SELECT q.day, q.from_id, q.to_id, q.mta, q.next_day, q.next_id, q.next_mta
FROM queued q
JOIN delivery_from f ON f.day = q.day AND f.id = q.from_id AND f.day BETWEEN p_first AND p_last
WHERE f.message_id = q.message_id OR (q.orig_queue_id = q.queue_id AND q.next_mta = q.mta)
UNION ALL
SELECT f.day, f.id, t.id, f.mta, n.day, n.id, n.mta
FROM delivery_to t
JOIN delivery_from f ON f.day = t.day AND f.id = t.from_id
JOIN delivery_from n ON n.message_id = f.message_id AND n.mta = f.mta AND n.id <> f.id
 AND n.day BETWEEN (t.t_status AT TIME ZONE 'UTC')::date - 1 AND (t.t_status AT TIME ZONE 'UTC')::date + 1
 AND n.t_i BETWEEN t.t_status - t.delay * interval '1 second' AND t.t_status + interval '1 minute'
 AND (n.origin = 'local' OR n.client_address <<= ANY ('{127.0.0.0/8,::1}'::inet[]))
WHERE t.status = 'sent' AND t.daemon = 'pipe' AND t.next_queue_id IS NULL
  AND t.day BETWEEN p_first AND p_last AND t.t_status >= p_after
  AND f.day BETWEEN p_first AND p_last AND n.day BETWEEN p_next_first AND p_next_last
UNION ALL
SELECT f.day, f.id, NULL, f.mta, n.day, n.id, n.mta
FROM delivery_from f
JOIN delivery_from n ON n.queue_id = f.next_queue_id AND n.mta = f.mta AND n.id <> f.id AND n.t_f >= f.t_f
 AND (n.orig_queue_id = f.queue_id OR n.message_id = f.message_id OR f.message_id IS NULL)
 AND n.day BETWEEN (f.t_f AT TIME ZONE 'UTC')::date - 1 AND (f.t_f AT TIME ZONE 'UTC')::date + 1
WHERE f.next_queue_id IS NOT NULL AND f.day BETWEEN p_first AND p_last AND f.t_f >= p_after
  AND n.day BETWEEN p_next_first AND p_next_last
$$;
