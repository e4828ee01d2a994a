-- What retention has left: the oldest day of mails and of verdicts, what was deleted last, and when a
-- clean-up was finished last.
SELECT kept."table", kept.oldest, l.t AS last_deletion, l.rows AS rows_deleted,
       (SELECT max(r.t) FROM retention_log r WHERE r.step = 'clean') AS last_clean_up
FROM (VALUES ('delivery', 'delivery_from', (SELECT min(day) FROM delivery_from)),
             ('noqueue', 'noqueue', (SELECT min(day) FROM noqueue))) kept ("table", name, oldest)
LEFT JOIN LATERAL (
    SELECT r.t, r.rows FROM retention_log r WHERE r.table_name = kept.name AND r.step = 'delete'
    ORDER BY r.t DESC LIMIT 1
) l ON true
ORDER BY kept."table"
