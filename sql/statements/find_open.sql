-- The open mails of a host with these queue ids ($2: with blanks between them).
SELECT queue_id, day, id, born, ended_at, source_id, t_f AS latest
FROM open_mail
WHERE mta = $1 AND queue_id = ANY (string_to_array($2, ' '))
ORDER BY id
