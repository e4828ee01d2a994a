-- When a clean-up was finished last, where that was before a moment.
SELECT max(t) AS t FROM retention_log WHERE step = 'clean' HAVING max(t) < %(before)s
