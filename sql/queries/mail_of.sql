-- A user's own mail, with what may be shown of it.
SELECT * FROM mail_of(%(address)s, %(since)s, %(until)s, %(most)s)
