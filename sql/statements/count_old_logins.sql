-- How many logins are about to be deleted.
SELECT count(*) AS rows FROM login
WHERE (failed > 0 AND hour < %(noqueue)s::timestamp AT TIME ZONE 'UTC')
   OR (succeeded > 0 AND hour < %(delivery)s::timestamp AT TIME ZONE 'UTC')
