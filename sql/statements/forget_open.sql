-- Mails whose rows retention has deleted.
DELETE FROM open_mail WHERE day < %(first)s
