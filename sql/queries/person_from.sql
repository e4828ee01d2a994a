-- Mails by their days and ids, each with the day until which it is retained.
SELECT f.*, (SELECT max(k.until) FROM retained_row r JOIN retained k ON k.id = r.retained_id
             WHERE r.day = f.day AND r.id = f.id) AS retained_until
FROM delivery_from f
WHERE f.day = ANY (%(days)s::date[]) AND f.id = ANY (%(ids)s::bigint[])
