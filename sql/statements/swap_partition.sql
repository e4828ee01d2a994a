-- A filled copy in the place of its partition, if nothing in that has changed.
SELECT swap_partition(%(table)s, %(partition)s, %(day_from)s, %(day_to)s, %(rows)s, %(xmin)s)
