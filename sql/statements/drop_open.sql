-- It expects no line any more.
DELETE FROM open_mail WHERE mta = %(mta)s AND queue_id = %(queue_id)s AND id = %(id)s
