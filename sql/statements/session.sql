-- What a writer's session needs, once: the shapes in which a batch is handed over. Emptied by those
-- who fill them: ON COMMIT DELETE ROWS would cost more than the commit.
CREATE TEMP TABLE batch_from (LIKE delivery_from);
CREATE TEMP TABLE batch_to (LIKE delivery_to);
CREATE TEMP TABLE batch_open (LIKE open_mail);
CREATE TEMP TABLE batch_unrecognised (LIKE unrecognised);
CREATE TEMP TABLE batch_event (
    number integer, mta text, syslog_name text, pid bigint, action text, t timestamptz,
    named bigint, messages bigint
);
