-- Months whose key is about to be destroyed.
SELECT month FROM hash_key
WHERE purpose = 'pseudonym' AND key IS NOT NULL AND month + interval '1 month' <= %(first)s::date
ORDER BY month
