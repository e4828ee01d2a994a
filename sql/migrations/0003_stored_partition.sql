-- Version 3: which partitions there are, with their days, is told by one view.

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
