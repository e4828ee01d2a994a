-- Rows of earlier batches that this one changed. $1: their days, $2: their ids, said again so that
-- only their partitions and rows are looked at, whatever the planner thinks of the join.
UPDATE delivery_to SET
    t_i = b.t_i,
    t_f = b.t_f,
    t_status = b.t_status,
    daemon = b.daemon,
    service = b.service,
    relay = b.relay,
    relay_name = b.relay_name,
    relay_address = b.relay_address,
    relay_port = b.relay_port,
    attempts = b.attempts,
    skipped = b.skipped,
    copies = b.copies,
    delay = b.delay,
    delay_before_qmgr = b.delay_before_qmgr,
    delay_in_qmgr = b.delay_in_qmgr,
    delay_conn_setup = b.delay_conn_setup,
    delay_transmission = b.delay_transmission,
    tls = b.tls,
    encryption_protocol = b.encryption_protocol,
    encryption_cipher = b.encryption_cipher,
    encryption_keysize = b.encryption_keysize,
    tls_trust = b.tls_trust,
    dsn = b.dsn,
    status = b.status,
    reply_code = b.reply_code,
    reason = b.reason,
    next_queue_id = b.next_queue_id
FROM batch_to b
WHERE delivery_to.day = b.day AND delivery_to.id = b.id
  AND delivery_to.day = ANY ($1) AND delivery_to.id = ANY ($2)
