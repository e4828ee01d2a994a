-- A key for a purpose and month, where there is none yet.
INSERT INTO hash_key (purpose, month, key) VALUES (%(purpose)s, %(month)s, %(key)s)
ON CONFLICT (purpose, month) DO NOTHING
