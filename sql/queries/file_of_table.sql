-- The number of a table's file: another one once it was written anew.
SELECT pg_relation_filenode(%(name)s::regclass)
