-- Rows from before a day, but for those that are retained.
r.day < %(first)s
AND NOT EXISTS (SELECT FROM retained_row k WHERE k.day = r.day AND k.id = r.{id})
