-- Names of hosts whose lines are stored, latest first.
SELECT mta, max(t_to) AS t_to FROM stored_time WHERE mta IS NOT NULL GROUP BY mta ORDER BY t_to DESC, mta LIMIT 1000
