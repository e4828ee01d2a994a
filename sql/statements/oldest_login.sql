-- UTC day of the oldest login.
SELECT (min(hour) AT TIME ZONE 'UTC')::date AS day FROM login
