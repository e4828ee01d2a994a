-- Days whose hourly totals are to be counted (again): those with rows never counted, and those of partitions in
-- which rows were changed since. In partitions of several days only days that lines came for: days of
-- mails still expected to change, and days that sources told of since. Days before today and yesterday
-- change little, and are counted again once they have rested for a while.
WITH changed AS (
    SELECT table_name, day_from, day_to, changes FROM partition_changes
), today AS (
    SELECT (%(now)s AT TIME ZONE 'UTC')::date AS day
)
SELECT c.table_name, d::date AS day, c.changes
FROM changed c
CROSS JOIN today
CROSS JOIN LATERAL generate_series(c.day_from, least(c.day_to - 1, today.day), interval '1 day') d
LEFT JOIN hourly_filled h ON h.table_name = c.table_name AND h.day = d::date
WHERE d::date >= coalesce(CASE c.table_name WHEN 'noqueue' THEN %(noqueue)s::date ELSE %(delivery)s::date END, '-infinity')
  AND (h.day IS NOT NULL
       OR CASE c.table_name WHEN 'noqueue' THEN EXISTS (SELECT FROM noqueue WHERE day = d::date)
                            ELSE EXISTS (SELECT FROM delivery_from WHERE day BETWEEN d::date AND d::date + 1) END)
  AND (h.day IS NULL
       OR (h.changes <> c.changes
           AND h.filled_at <= %(now)s - CASE WHEN d::date >= today.day - 1 THEN %(pause)s ELSE %(long_pause)s END
           AND (c.day_to = c.day_from + 1
                OR EXISTS (SELECT FROM open_mail o WHERE o.day = d::date)
                OR EXISTS (SELECT FROM stored_span s JOIN source o ON o.id = s.source_id
                           WHERE (s.t_from AT TIME ZONE 'UTC')::date <= d::date
                             AND (s.t_to AT TIME ZONE 'UTC')::date >= d::date
                             AND (s.t_to > h.filled_at - interval '1 hour'
                                  OR (o.kind <> 'journal' AND o.updated_at > h.filled_at))))))
ORDER BY c.table_name, d
