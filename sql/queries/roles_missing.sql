-- The group roles that are not there yet, as statements that make them.
SELECT format('CREATE ROLE %%I NOLOGIN', name) AS statement
FROM (VALUES (%(writer)s::name), (%(reader)s::name), (%(auditor)s::name), (%(user)s::name)) role (name)
WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role.name)
