-- The present version of the schema, and the oldest that a program may be made for to use it.
SELECT version, coalesce((to_jsonb(s) ->> 'works_with')::integer, 1) AS works_with
FROM schema_version s
ORDER BY version DESC
LIMIT 1
