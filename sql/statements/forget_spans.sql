-- Forget what was told of days of which nothing is kept any more; host by host, by the index.
WITH RECURSIVE host AS (
    SELECT min(mta) AS mta FROM stored_span
    UNION ALL
    SELECT (SELECT min(s.mta) FROM stored_span s WHERE s.mta > host.mta) FROM host WHERE mta IS NOT NULL
)
DELETE FROM stored_span s USING host WHERE s.mta = host.mta AND s.t_to < %(first)s
