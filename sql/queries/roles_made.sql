-- Whether the tables of mail belong to the writer, as setup --roles has it.
SELECT pg_get_userbyid(relowner) = %(writer)s FROM pg_class WHERE oid = to_regclass('delivery_from')
