-- How many logins are about to be pseudonymised, when others have been deleted.
SELECT count(*) AS rows FROM login r
WHERE {due}
  AND (r.failed = 0 OR (r.hour < %(gone_noqueue)s::timestamp AT TIME ZONE 'UTC') IS NOT TRUE)
  AND (r.succeeded = 0 OR (r.hour < %(gone_delivery)s::timestamp AT TIME ZONE 'UTC') IS NOT TRUE)
