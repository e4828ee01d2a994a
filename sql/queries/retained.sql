-- Cases that are kept in spite of retention, and how many rows of each.
SELECT k.id, k.kind, k.value, k.until, k.noted_at, k.ticket,
       (SELECT count(*) FROM retained_row r WHERE r.retained_id = k.id) AS rows
FROM retained k
ORDER BY k.until, k.id
