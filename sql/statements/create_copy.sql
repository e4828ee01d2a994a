-- An empty table of a partition's shape.
SELECT create_copy(%(table)s, %(partition)s, %(day_from)s, %(day_to)s)
