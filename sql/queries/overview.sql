-- What the database holds, in a dozen figures: one row per figure, in the order of a mail's way.
-- Probes (address verification) are mails to nobody and are left out.
WITH mail AS (
    SELECT * FROM delivery_from WHERE origin <> 'probe'
), recipient AS (
    SELECT delivery_to.* FROM delivery_to JOIN mail ON mail.day = delivery_to.day AND mail.id = from_id
), figure (number, what, value) AS (
    SELECT 1, 'first line', to_char(min(t_i), 'YYYY-MM-DD HH24:MI:SS TZ') FROM mail
    UNION ALL
    SELECT 2, 'last line', to_char(max(t_f), 'YYYY-MM-DD HH24:MI:SS TZ') FROM mail
    UNION ALL
    SELECT 3, 'hosts', count(DISTINCT mta)::text FROM mail
    UNION ALL
    SELECT 4, 'mails', count(*)::text FROM mail
    UNION ALL
    SELECT 5, '  from our users', count(*)::text FROM mail WHERE is_submission
    UNION ALL
    SELECT 6, '  notices we made', count(*)::text FROM mail WHERE origin = 'notice'
    UNION ALL
    SELECT 7, '  in the queue', count(*)::text FROM mail
    WHERE coalesce(queued_at, held_at) IS NOT NULL AND removed_at IS NULL
    UNION ALL
    SELECT 8, 'recipients', count(*)::text FROM recipient
    UNION ALL
    SELECT 9, '  ' || coalesce(status, 'status not known'), count(*)::text FROM recipient GROUP BY status
    UNION ALL
    SELECT 10, 'delivery attempts', coalesce(sum(attempts), 0)::text FROM recipient
    UNION ALL
    SELECT 11, 'refusals', count(*)::text FROM noqueue WHERE refused
    UNION ALL
    SELECT 12, '  of these told to come back', count(*)::text FROM noqueue WHERE refused AND temporary
)
SELECT what, value FROM figure ORDER BY number, what;
