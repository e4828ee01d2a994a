-- Months of the logins that are due.
SELECT DISTINCT date_trunc('month', r.hour AT TIME ZONE 'UTC')::date AS month FROM login r WHERE {due}
