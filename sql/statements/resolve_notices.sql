-- Notices whose mail was loaded after them.
WITH found AS MATERIALIZED (
    SELECT o.day, o.id, mail.id AS mail_id
    FROM open_mail o
    CROSS JOIN LATERAL (
        SELECT * FROM delivery_from WHERE day = o.day AND id = o.id OFFSET 0
    ) notice
    CROSS JOIN LATERAL (
        SELECT m.id FROM delivery_from m
        WHERE m.mta = notice.mta AND m.queue_id = notice.notification_for
          AND m.day BETWEEN notice.day - 35 AND notice.day
          AND m.t_i <= notice.t_i + interval '5 s'
        ORDER BY m.t_i DESC LIMIT 1
    ) mail
    WHERE o.born = 2 AND notice.notification_for IS NOT NULL
      AND notice.notification_for_id IS NULL
)
UPDATE delivery_from f SET notification_for_id = found.mail_id
FROM found WHERE f.day = found.day AND f.id = found.id
