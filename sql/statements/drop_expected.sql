-- A mail that is gone: its next line begins a row of its own.
DELETE FROM open_mail WHERE mta = %(mta)s AND queue_id = %(queue_id)s AND id = %(id)s
