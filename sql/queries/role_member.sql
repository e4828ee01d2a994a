-- To hand tables to the writer one has to be its member, but for a superuser.
SELECT format('GRANT %%I TO CURRENT_USER', %(writer)s::name) AS statement
FROM pg_roles me
WHERE me.rolname = current_user AND NOT me.rolsuper
  AND NOT EXISTS (SELECT FROM pg_auth_members m
                  WHERE m.roleid = to_regrole(quote_ident(%(writer)s)) AND m.member = me.oid
                    AND coalesce(to_jsonb(m) ->> 'set_option', 'true')::boolean
                    AND coalesce(to_jsonb(m) ->> 'inherit_option', 'true')::boolean)
