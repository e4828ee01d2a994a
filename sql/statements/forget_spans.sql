-- Forget which lines of days were told of which nothing is kept any more.
DELETE FROM stored_span WHERE t_to < %(first)s
