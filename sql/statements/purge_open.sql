-- Forget mails of a source that ended long enough ago, counted in the log's own time.
DELETE FROM open_mail WHERE source_id = %(source_id)s AND ended_at < %(before)s
