-- Mails of which no line will follow.
DELETE FROM open_mail o WHERE {over}
