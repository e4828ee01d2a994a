-- Rows of a table (one that is no partitioned one) in which a person's names may stand, a portion of
-- them behind a place, each with the day until which it is retained.
SELECT ctid::text AS place, r.*, {until} AS retained_until
FROM {table} r
WHERE ctid > %(place)s::tid AND concat_ws(chr(10), {columns}) ~* %(pattern)s
ORDER BY ctid
LIMIT %(portion)s
{lock}
