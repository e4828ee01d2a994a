-- Forget totals of long ago.
DELETE FROM mail_hourly WHERE hour < %(before)s;
DELETE FROM noqueue_hourly WHERE hour < %(before)s;
DELETE FROM hourly_filled WHERE day < (%(before)s AT TIME ZONE 'UTC')::date;
