-- What each role may, as statements. The mail's tables belong to the writer, for that is what it takes to
-- make, attach, detach, drop and analyse partitions; the rest belongs to who runs setup.
WITH here AS (
    SELECT n.oid, n.nspname FROM pg_namespace n WHERE n.nspname = current_schema()
), listed (name, owner, reads, writes) AS (
    VALUES  -- name, owner, whether role reader may read it, what the writer may where it is not the owner
        ('delivery_from', 'writer', true, NULL), ('delivery_to', 'writer', true, NULL),
        ('delivery_attempt', 'writer', true, NULL), ('noqueue', 'writer', true, NULL),
        ('source', 'writer', true, NULL), ('open_mail', 'writer', true, NULL),
        ('host', 'writer', true, NULL), ('gap', 'writer', true, NULL),
        ('stored_span', 'writer', true, NULL), ('unrecognised', 'writer', true, NULL),
        ('queue_event', 'writer', true, NULL), ('login', 'writer', true, NULL),
        ('retention_log', 'writer', true, NULL), ('mail_hourly', 'writer', true, NULL),
        ('noqueue_hourly', 'writer', true, NULL), ('hourly_filled', 'writer', true, NULL),
        ('looked_through', 'writer', true, NULL), ('erasure', 'writer', false, NULL),
        ('retained', 'writer', true, NULL), ('retained_row', 'writer', true, NULL), ('unfinished_mail', 'admin', true, 'SELECT'),
        ('partition_changes', 'admin', true, 'SELECT'), ('stored_partition', 'admin', true, 'SELECT'),
        ('stored_time', 'admin', true, 'SELECT'), ('delivery_record', 'admin', true, 'SELECT'),
        ('journey', 'admin', true, 'SELECT'), ('delivery', 'admin', true, 'SELECT'),
        ('schema_version', 'admin', true, 'SELECT'), ('row_id', 'admin', false, 'USAGE'),
        ('hash_key', 'admin', false, 'SELECT, INSERT, UPDATE'), ('access_log', 'admin', false, NULL)
), relation AS (
    SELECT c.oid, c.relname, c.relowner, c.relkind, l.owner, l.reads, l.writes
    FROM here JOIN pg_class c ON c.relnamespace = here.oid JOIN listed l ON l.name = c.relname
), partition AS (
    SELECT c.oid, c.relname, c.relowner, c.relkind
    FROM relation r JOIN pg_inherits i ON i.inhparent = r.oid JOIN pg_class c ON c.oid = i.inhrelid
), callable (name, role) AS (
    VALUES ('note_access', 'writer'), ('note_access', 'reader'), ('login_hash', 'writer'), ('login_hash', 'reader'),
           ('forget_accesses', 'writer'), ('access_hash', 'auditor'), ('mail_of', 'reader'), ('mail_of', 'user')
), role (kind, name) AS (
    VALUES ('writer', %(writer)s::name), ('reader', %(reader)s), ('auditor', %(auditor)s), ('user', %(user)s),
           ('admin', current_user)
), schema_right (kind, wanted) AS (
    VALUES ('writer', 'USAGE'), ('writer', 'CREATE'), ('reader', 'USAGE'), ('auditor', 'USAGE'), ('user', 'USAGE')
), database_right (kind, wanted) AS (
    VALUES ('writer', 'CONNECT'), ('writer', 'TEMP'), ('reader', 'CONNECT'), ('auditor', 'CONNECT'), ('user', 'CONNECT')
)
SELECT 0 AS step, format('REVOKE CREATE ON SCHEMA %%I FROM PUBLIC', here.nspname) AS statement  -- PostgreSQL 14
FROM here WHERE has_schema_privilege('public', here.oid, 'CREATE')
UNION ALL
SELECT 1, format('GRANT %%s ON SCHEMA %%I TO %%I', s.wanted, here.nspname, r.name)
FROM here, schema_right s JOIN role r USING (kind)
WHERE NOT has_schema_privilege(r.name, here.oid, s.wanted) OR has_schema_privilege('public', here.oid, s.wanted)
UNION ALL
SELECT 1, format('GRANT %%s ON DATABASE %%I TO %%I', d.wanted, current_database(), r.name)
FROM database_right d JOIN role r USING (kind)
WHERE NOT has_database_privilege(r.name, current_database(), d.wanted)
UNION ALL  -- a table of the writer's takes its partitions along in no release
SELECT 2, format('ALTER TABLE %%I.%%I OWNER TO %%I', here.nspname, p.relname, r.name)
FROM here, partition p JOIN role r ON r.kind = 'writer'
WHERE p.relowner <> to_regrole(quote_ident(r.name))
UNION ALL
SELECT 2, format('ALTER TABLE %%I.%%I OWNER TO %%I', here.nspname, t.relname, r.name)
FROM here, relation t JOIN role r ON r.kind = t.owner
WHERE t.relowner <> to_regrole(quote_ident(r.name))
UNION ALL  -- views and functions read with the rights of who made them
SELECT 3, format('GRANT SELECT ON %%I.%%I TO CURRENT_USER', here.nspname, t.relname)
FROM here, relation t WHERE t.owner = 'writer'
UNION ALL
SELECT 3, format('GRANT SELECT ON %%I.%%I TO %%I', here.nspname, t.relname, r.name)
FROM here, relation t, role r
WHERE r.kind = 'reader' AND t.reads OR r.kind = 'auditor' AND t.relname = 'access_log'
UNION ALL
SELECT 3, format('GRANT %%s ON %%s %%I.%%I TO %%I', t.writes, CASE t.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                 here.nspname, t.relname, r.name)
FROM here, relation t, role r WHERE r.kind = 'writer' AND t.writes IS NOT NULL
UNION ALL  -- VACUUM takes destroyed keys out of the file; before PostgreSQL 17 autovacuum does it alone
SELECT 3, format('GRANT MAINTAIN ON TABLE %%I.hash_key TO %%I', here.nspname, r.name)
FROM here, role r WHERE r.kind = 'writer' AND current_setting('server_version_num')::integer >= 170000
UNION ALL
SELECT 2, format('ALTER FUNCTION %%s OWNER TO CURRENT_USER', p.oid::regprocedure)
FROM here JOIN pg_proc p ON p.pronamespace = here.oid
WHERE pg_get_userbyid(p.proowner) <> current_user
  AND (p.proname IN ('note_access', 'access_hash', 'forget_accesses', 'login_hash', 'mail_of', 'without_people',
                     'keyed_hash', 'hash_masks', 'domain_of', 'is_customers', 'create_partition', 'create_copy',
                     'swap_partition', 'fate_of', 'refusal', 'hop_between', 'mail_between', 'recipient_between')
       OR p.proname LIKE 'pseudonym\_%%')
UNION ALL
SELECT 3, format('GRANT EXECUTE ON FUNCTION %%s TO %%I', p.oid::regprocedure, r.name)
FROM here JOIN pg_proc p ON p.pronamespace = here.oid
JOIN callable c ON c.name = p.proname JOIN role r ON r.kind = c.role
ORDER BY step, statement
