-- Who holds the lock of a source.
SELECT a.pid, a.usename, coalesce(a.client_addr::text, 'this host') AS host, a.backend_start
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND (l.classid::bigint << 32 | l.objid::bigint)
      = hashtextextended('journal-postfix source ' || %(kind)s || ' ' || %(identity)s, 0)
LIMIT 1
