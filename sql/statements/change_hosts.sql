-- For a change of stored mails by somebody else than the session that merges batches: it waits for
-- batches of these hosts (NULL: of all), and they for it, and look at the mails anew.
WITH locked AS MATERIALIZED (
    SELECT mta FROM host WHERE %(mta)s::text IS NULL OR mta = %(mta)s ORDER BY mta FOR UPDATE
)
UPDATE host SET writer = NULL FROM locked WHERE host.mta = locked.mta
