-- What a writer's session needs, once: the shapes in which a batch is handed over.
CREATE TEMP TABLE batch_key (mta text NOT NULL, queue_id text NOT NULL) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE batch_from (LIKE delivery_from) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE batch_to (LIKE delivery_to) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE batch_open (LIKE open_mail) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE batch_unrecognised (LIKE unrecognised) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE batch_event (
    number integer, mta text, syslog_name text, pid bigint, action text, t timestamptz,
    named bigint, messages bigint
) ON COMMIT DELETE ROWS;
