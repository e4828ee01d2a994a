-- The keys with which names in rows are hashed, those that were not destroyed.
SELECT key FROM hash_key WHERE purpose IN ('pseudonym', 'login') AND key IS NOT NULL
