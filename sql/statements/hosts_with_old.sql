-- Hosts with mails that still expect lines and had none since a moment.
SELECT DISTINCT mta FROM open_mail
WHERE ended_at IS NULL AND greatest(t_f, seen_at) < %(before)s
ORDER BY mta
