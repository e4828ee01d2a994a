-- Tables that the service reads and writes, of which we may not do all it does.
SELECT c.relname AS table_name
FROM unnest('{delivery_from,delivery_to,delivery_attempt,noqueue,source,open_mail,host,gap,stored_span,unrecognised,queue_event,login,retention_log,mail_hourly,noqueue_hourly}'::text[]) wanted (name)
JOIN pg_class c ON c.oid = to_regclass(wanted.name)
CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) privilege
WHERE NOT has_table_privilege(c.oid, privilege)
GROUP BY c.relname
ORDER BY c.relname
