-- Which of some mails became which. The days of all three tables are given, to leave out the others.
SELECT day, from_id, to_id, t, how, next_day, next_id, next_mta
FROM journey
WHERE day = ANY (%(days)s) AND (to_day = ANY (%(days)s) OR to_day IS NULL) AND next_day = ANY (%(days)s)
  AND from_id = ANY (%(ids)s) AND next_id = ANY (%(ids)s)
ORDER BY t, next_id
