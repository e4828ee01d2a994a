-- The key for a purpose and month; NULL where it was destroyed.
SELECT key FROM hash_key WHERE purpose = %(purpose)s AND month = %(month)s
