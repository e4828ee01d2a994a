-- Mails of some days in whose row, or in a recipient's, a person's names may stand.
SELECT f.day, f.id FROM delivery_from f
WHERE f.day >= %(day_from)s AND f.day < %(day_to)s AND concat_ws(chr(10), {delivery_from}) ~* %(pattern)s
UNION
SELECT t.day, t.from_id FROM delivery_to t
WHERE t.day >= %(day_from)s AND t.day < %(day_to)s AND concat_ws(chr(10), {delivery_to}) ~* %(pattern)s
ORDER BY 1, 2
