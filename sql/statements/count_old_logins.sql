-- How many logins are about to be deleted.
SELECT count(*) AS rows FROM login r WHERE {old}
