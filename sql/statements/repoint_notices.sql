-- Notices about rows that went into others.
UPDATE delivery_from f SET notification_for_id = pair.mail_id
FROM open_mail o, unnest(%(halves)s::bigint[], %(mails)s::bigint[]) pair (half_id, mail_id)
WHERE o.born = 2 AND f.day = o.day AND f.id = o.id AND f.notification_for_id = pair.half_id
