-- What a comparison with Postfix's queue needs, once: the queue as it was listed.
CREATE TEMP TABLE listed (
    number      smallint NOT NULL,
    syslog_name text NOT NULL,
    queue_name  text NOT NULL,
    queue_id    text NOT NULL,
    arrived_at  timestamptz NOT NULL
)
