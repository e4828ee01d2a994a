-- Keys of the hashes of months of which all days are older than the first day.
UPDATE hash_key SET key = NULL, destroyed_at = %(now)s
WHERE purpose = 'pseudonym' AND key IS NOT NULL AND month + interval '1 month' <= %(first)s::date
RETURNING month
