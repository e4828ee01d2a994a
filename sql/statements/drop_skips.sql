-- Records without an attempt, of a recipient for whom a real attempt came before.
DELETE FROM delivery_attempt
WHERE day = %(day)s AND to_id = %(id)s AND status = 'deferred'
  AND daemon IN ('error', 'retry', 'qmgr', 'oqmgr', 'nqmgr')
