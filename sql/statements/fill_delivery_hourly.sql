-- Count the mails of a day again, by hour and host.
DELETE FROM mail_hourly WHERE hour >= %(since)s AND hour < %(until)s;
WITH counted AS (
    SELECT date_trunc('hour', t_i, 'UTC') AS hour, mta,
           count(*) AS received,
           count(*) FILTER (WHERE origin = 'notice') AS notices,
           count(*) FILTER (WHERE is_submission OR origin = 'local') AS from_users,
           coalesce(sum(size), 0) AS received_bytes,
           0 AS delivered, 0 AS accepted_elsewhere, 0 AS waiting, 0 AS held, 0 AS returned,
           0 AS expired, 0 AS discarded, 0 AS deleted, 0 AS not_known, 0 AS delayed, 0 AS delivered_bytes
    FROM mail_between(%(since)s, %(until)s)
    WHERE received
    GROUP BY 1, 2
    UNION ALL
    SELECT date_trunc('hour', t_i, 'UTC'), mta, 0, 0, 0, 0,
           count(*) FILTER (WHERE fate = 'delivered'),
           count(*) FILTER (WHERE fate = 'accepted elsewhere'),
           count(*) FILTER (WHERE fate = 'waiting'),
           count(*) FILTER (WHERE fate = 'held'),
           count(*) FILTER (WHERE fate = 'returned'),
           count(*) FILTER (WHERE fate = 'expired'),
           count(*) FILTER (WHERE fate IN ('discarded', 'swallowed by filter')),
           count(*) FILTER (WHERE fate = 'deleted'),
           count(*) FILTER (WHERE fate = 'vanished' OR fate IS NULL),
           count(*) FILTER (WHERE attempts + skipped > 1 OR status = 'deferred'),
           coalesce(sum(size) FILTER (WHERE fate IN ('delivered', 'accepted elsewhere')), 0)
    FROM recipient_between(%(since)s, %(until)s)
    WHERE fate IS NULL OR fate NOT IN ('filtered on', 'handed on', 'refused', 'not completed')
    GROUP BY 1, 2
)
INSERT INTO mail_hourly
SELECT hour, mta, sum(received), sum(received - notices - from_users), sum(from_users), sum(notices),
       sum(received_bytes), sum(delivered), sum(accepted_elsewhere), sum(waiting), sum(held),
       sum(returned), sum(expired), sum(discarded), sum(deleted), sum(not_known), sum(delayed),
       sum(delivered_bytes)
FROM counted
GROUP BY hour, mta;
