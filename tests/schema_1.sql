-- The whole schema of journal-postfix, from top to bottom. `journal-postfix setup` runs it in the
-- connection's current schema; sql/migrations/ brings an older schema here.
--
-- delivery_from, delivery_to, delivery_attempt and noqueue are partitioned by day. There is no
-- default partition: create_partition() makes what a batch needs. Rows of one mail share its day.
-- Columns with personal data say so in their comment.

CREATE SEQUENCE row_id INCREMENT 1000;
COMMENT ON SEQUENCE row_id IS 'Row numbers of delivery_from, delivery_to and noqueue: each value is the first of a thousand.';

CREATE TABLE schema_version (
    version    integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version)
);

COMMENT ON TABLE schema_version IS 'Versions of the schema this database has had; the highest is the present one.';
COMMENT ON COLUMN schema_version.version IS
    'Version of the schema.';
COMMENT ON COLUMN schema_version.applied_at IS
    'When setup brought it here.';

INSERT INTO schema_version (version) VALUES (1);

CREATE TABLE delivery_from (
    day                 date NOT NULL,
    id                  bigint NOT NULL,
    mta                 text NOT NULL,
    syslog_name         text,
    service             text,
    queue_id            text NOT NULL,
    t_i                 timestamptz NOT NULL,
    t_f                 timestamptz NOT NULL,
    origin              text NOT NULL,
    client_name         text,
    client_address      inet,
    client_port         integer,
    helo_name           text,
    protocol_name       text,
    sasl_method         text,
    sasl_username       text,
    sasl_sender         text,
    uid                 bigint,
    is_submission       boolean NOT NULL,
    encryption_protocol text,
    encryption_cipher   text,
    encryption_keysize  integer,
    tls_trust           text,
    orig_queue_id       text,
    orig_client         text,
    next_queue_id       text,
    sender              text,
    sender_given        text,
    verp_id             text,
    message_id          text,
    resent_message_id   text,
    subject             text,
    size                bigint,
    nrcpt               integer,
    accepted            boolean,
    verdict             text,
    verdict_inferred    boolean,
    protocol_state      text,
    reply_code          integer,
    dsn                 text,
    reason              text,
    queued_at           timestamptz,
    held_at             timestamptz,
    released_at         timestamptz,
    hold_reason         text,
    expired_at          timestamptz,
    removed_at          timestamptz,
    removed_by          text,
    notification        text,
    notification_for    text,
    notification_for_id bigint,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);

COMMENT ON TABLE delivery_from IS 'One row per mail, that is per queue file: who sent it, and what became of the queue file.';
COMMENT ON COLUMN delivery_from.day IS
    'UTC day of the mail''s first known time when the row was first written; never changed; the partition key. Every link to the mail is (day, id).';
COMMENT ON COLUMN delivery_from.id IS
    'Row number, unique over all tables of this schema.';
COMMENT ON COLUMN delivery_from.mta IS
    'Host that wrote the log lines, after the keys mta and mta_names.';
COMMENT ON COLUMN delivery_from.syslog_name IS
    'Instance, as qmgr and cleanup log it (postfix, postfix-out). Rule: qmgr''s, else cleanup''s, else the first part of another daemon''s.';
COMMENT ON COLUMN delivery_from.service IS
    'What the receiving smtpd''s syslog_name adds to the instance (submission, 10025).';
COMMENT ON COLUMN delivery_from.queue_id IS
    'Queue id. Comes back: a mail is (mta, queue_id, its beginning).';
COMMENT ON COLUMN delivery_from.t_i IS
    'First moment known. Rule: earliest line.';
COMMENT ON COLUMN delivery_from.t_f IS
    'Latest moment known. Rule: latest line.';
COMMENT ON COLUMN delivery_from.origin IS
    'How the mail began: smtp, local (sendmail), notice (Postfix wrote it), probe (address verification, sendmail -bv), forward (by local), requeue (postsuper -r), unknown (beginning not seen). Rule: the most telling one.';
COMMENT ON COLUMN delivery_from.client_name IS
    'SMTP client, its verified host name or unknown; behind a proxy filter the client in front of it. Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.client_address IS
    'SMTP client, its address. Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.client_port IS
    'SMTP client, its port, where smtpd_client_port_logging is on. Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.helo_name IS
    'Name given with HELO or EHLO, where a line with the queue id tells it. Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.protocol_name IS
    'SMTP or ESMTP, where a line with the queue id tells it. Rule: first.';
COMMENT ON COLUMN delivery_from.sasl_method IS
    'SASL mechanism of the client''s login. Rule: first.';
COMMENT ON COLUMN delivery_from.sasl_username IS
    'SASL login name of the client. Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.sasl_sender IS
    'Sender from the AUTH= parameter of MAIL FROM, as logged (xtext). Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.uid IS
    'User id of a local submission (sendmail). Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.is_submission IS
    'Submitted by one of our users: login known, or uid not Postfix''s own, or service in submission_services; false for notices, probes, forwards and requeues.';
COMMENT ON COLUMN delivery_from.encryption_protocol IS
    'TLS protocol of the client''s session, by the line of the same process. Rule: first.';
COMMENT ON COLUMN delivery_from.encryption_cipher IS
    'TLS cipher of the client''s session. Rule: first.';
COMMENT ON COLUMN delivery_from.encryption_keysize IS
    'Used bits of that cipher. Rule: first.';
COMMENT ON COLUMN delivery_from.tls_trust IS
    'Anonymous, Untrusted, Trusted or Verified, as Postfix logs it. Rule: first.';
COMMENT ON COLUMN delivery_from.orig_queue_id IS
    'Queue id this mail had before: XFORWARD''s (content filter), or orig_id of a requeued mail. Rule: first.';
COMMENT ON COLUMN delivery_from.orig_client IS
    'Client of the mail before a content filter, as logged. Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.next_queue_id IS
    'Queue id this mail got when it was requeued or passed on by a before-queue proxy. Rule: first.';
COMMENT ON COLUMN delivery_from.sender IS
    'Envelope sender; empty is the null reverse-path. Rule: qmgr''s word wins, then a verdict''s, then pickup''s. Personal data.';
COMMENT ON COLUMN delivery_from.sender_given IS
    'Envelope sender as given at first, where it differs from sender. Personal data.';
COMMENT ON COLUMN delivery_from.verp_id IS
    'Id taken out of a sender marked with verp_marker or verp_patterns. Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.message_id IS
    'Message-ID header as logged, with brackets. Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.resent_message_id IS
    'Resent-Message-ID header. Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.subject IS
    'Subject, where header checks log it and store_subject is on. Rule: first. Personal data.';
COMMENT ON COLUMN delivery_from.size IS
    'Octets of the message. Rule: maximum.';
COMMENT ON COLUMN delivery_from.nrcpt IS
    'Number of recipients as qmgr logs it, after alias expansion. Rule: maximum.';
COMMENT ON COLUMN delivery_from.accepted IS
    'true: taken into the queue; false: refused after a queue id was given; NULL: transaction not completed, or not known. Rule: true, then false.';
COMMENT ON COLUMN delivery_from.verdict IS
    'Verdict that changed the mail''s way, as logged (hold, discard, redirect, milter-reject). Rule: the gravest.';
COMMENT ON COLUMN delivery_from.verdict_inferred IS
    'true: the verdict''s line had no queue id; it is the mail''s by process and sender. Rule: gone with the verdict where qmgr names another sender, or where a discarded mail comes into the queue.';
COMMENT ON COLUMN delivery_from.protocol_state IS
    'SMTP state in which the mail was refused or its session ended.';
COMMENT ON COLUMN delivery_from.reply_code IS
    'SMTP reply code of the refusal.';
COMMENT ON COLUMN delivery_from.dsn IS
    'Enhanced status code (RFC 3463) of the refusal.';
COMMENT ON COLUMN delivery_from.reason IS
    'Why it was refused, or how its session ended. Personal data.';
COMMENT ON COLUMN delivery_from.queued_at IS
    'First "queue active". The mail is in the queue if queued_at or held_at is set and removed_at is null. Rule: earliest.';
COMMENT ON COLUMN delivery_from.held_at IS
    'When it was put on hold. Rule: latest.';
COMMENT ON COLUMN delivery_from.released_at IS
    'When it was released from hold. Rule: latest.';
COMMENT ON COLUMN delivery_from.hold_reason IS
    'Why it was held then, in the words of the rule; NULL for a hold by postsuper. Rule: with held_at. Personal data.';
COMMENT ON COLUMN delivery_from.expired_at IS
    'When qmgr gave it up and returned it. Rule: latest.';
COMMENT ON COLUMN delivery_from.removed_at IS
    'When the queue file went away, as logged. vanished: when it was seen to be gone (reconcile''s listing of the queue, or the beginning of another mail with its queue id); age: queue.close_after days after the last sign of it. NULL alone does not mean "in the queue".';
COMMENT ON COLUMN delivery_from.removed_by IS
    'qmgr, postsuper, canceled, discarded, requeued, vanished (it is no longer in the queue, and the log does not tell why), age (its end was never logged). Rule: what was logged wins over what was inferred; a later line takes what was inferred back.';
COMMENT ON COLUMN delivery_from.notification IS
    'This mail is itself a notice, in Postfix''s words (sender non-delivery, sender delay). Rule: first.';
COMMENT ON COLUMN delivery_from.notification_for IS
    'Queue id of the mail the notice is about. Rule: first.';
COMMENT ON COLUMN delivery_from.notification_for_id IS
    'Row of the mail the notice is about, where it is known.';

CREATE INDEX delivery_from_queue_id ON delivery_from (queue_id, day);
CREATE INDEX delivery_from_sender ON delivery_from (lower(sender));
CREATE INDEX delivery_from_message_id ON delivery_from (message_id);
CREATE INDEX delivery_from_client_address ON delivery_from (client_address);
CREATE INDEX delivery_from_notification_for_id ON delivery_from (notification_for_id) WHERE notification_for_id IS NOT NULL;
CREATE INDEX delivery_from_sasl_username ON delivery_from (lower(sasl_username)) WHERE sasl_username IS NOT NULL;

CREATE TABLE delivery_to (
    day                 date NOT NULL,
    id                  bigint NOT NULL,
    from_id             bigint NOT NULL,
    mta                 text NOT NULL,
    queue_id            text NOT NULL,
    recipient           text NOT NULL,
    orig_to             text,
    t_i                 timestamptz NOT NULL,
    t_f                 timestamptz NOT NULL,
    t_status            timestamptz NOT NULL,
    daemon              text,
    service             text,
    relay               text,
    relay_name          text,
    relay_address       inet,
    relay_port          integer,
    attempts            integer NOT NULL,
    skipped             integer NOT NULL,
    copies              integer NOT NULL,
    delay               double precision,
    delay_before_qmgr   double precision,
    delay_in_qmgr       double precision,
    delay_conn_setup    double precision,
    delay_transmission  double precision,
    tls                 text,
    encryption_protocol text,
    encryption_cipher   text,
    encryption_keysize  integer,
    tls_trust           text,
    dsn                 text,
    status              text,
    reply_code          integer,
    reason              text,
    next_queue_id       text,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);

COMMENT ON TABLE delivery_to IS 'One row per mail, recipient and original recipient: how it ended, so far.';
COMMENT ON COLUMN delivery_to.day IS
    'Day of the mail; the partition key.';
COMMENT ON COLUMN delivery_to.id IS
    'Row number, unique over all tables of this schema.';
COMMENT ON COLUMN delivery_to.from_id IS
    'The mail: delivery_from (day, id).';
COMMENT ON COLUMN delivery_to.mta IS
    'Host that wrote the log lines, after the keys mta and mta_names.';
COMMENT ON COLUMN delivery_to.queue_id IS
    'Queue id of the mail.';
COMMENT ON COLUMN delivery_to.recipient IS
    'Final recipient, after all rewriting. Personal data.';
COMMENT ON COLUMN delivery_to.orig_to IS
    'Recipient as given, before aliases, where it differs. The row''s key is (mail, recipient, orig_to). Personal data.';
COMMENT ON COLUMN delivery_to.t_i IS
    'First delivery record. Rule: earliest line.';
COMMENT ON COLUMN delivery_to.t_f IS
    'Latest delivery record. Rule: latest line.';
COMMENT ON COLUMN delivery_to.t_status IS
    'Time of the delivery record that status, dsn, reason, relay and delays come from.';
COMMENT ON COLUMN delivery_to.daemon IS
    'Delivery agent of that record.';
COMMENT ON COLUMN delivery_to.service IS
    'What the delivery agent''s syslog_name adds to the instance.';
COMMENT ON COLUMN delivery_to.relay IS
    'relay= as logged.';
COMMENT ON COLUMN delivery_to.relay_name IS
    'Host name in relay; where relay is none, the host that was tried last.';
COMMENT ON COLUMN delivery_to.relay_address IS
    'Address in relay, or of the host that was tried last.';
COMMENT ON COLUMN delivery_to.relay_port IS
    'Port in relay, or of the host that was tried last.';
COMMENT ON COLUMN delivery_to.attempts IS
    'Real delivery attempts. Rule: sum.';
COMMENT ON COLUMN delivery_to.skipped IS
    'Records without an attempt (error, retry, qmgr). Rule: sum.';
COMMENT ON COLUMN delivery_to.copies IS
    'Records with status sent. Rule: sum.';
COMMENT ON COLUMN delivery_to.delay IS
    'Seconds from arrival to that record.';
COMMENT ON COLUMN delivery_to.delay_before_qmgr IS
    'Seconds before the queue manager; holds all earlier waiting. Equal in records of one pass.';
COMMENT ON COLUMN delivery_to.delay_in_qmgr IS
    'Seconds in the queue manager.';
COMMENT ON COLUMN delivery_to.delay_conn_setup IS
    'Seconds of connection set-up: DNS, HELO, TLS.';
COMMENT ON COLUMN delivery_to.delay_transmission IS
    'Seconds of transmission.';
COMMENT ON COLUMN delivery_to.tls IS
    'tls= as logged (3.11 and later).';
COMMENT ON COLUMN delivery_to.encryption_protocol IS
    'TLS protocol of the outgoing connection, by the line of the same process.';
COMMENT ON COLUMN delivery_to.encryption_cipher IS
    'TLS cipher of the outgoing connection.';
COMMENT ON COLUMN delivery_to.encryption_keysize IS
    'Used bits of that cipher.';
COMMENT ON COLUMN delivery_to.tls_trust IS
    'Anonymous, Untrusted, Trusted or Verified, as Postfix logs it.';
COMMENT ON COLUMN delivery_to.dsn IS
    'Enhanced status code (RFC 3463).';
COMMENT ON COLUMN delivery_to.status IS
    'Postfix''s word: sent, deferred, bounced, SOFTBOUNCE, deliverable, undeliverable. Rule: latest real attempt; within one pass the worst; a record without an attempt only where there is no other.';
COMMENT ON COLUMN delivery_to.reply_code IS
    'SMTP reply code in reason.';
COMMENT ON COLUMN delivery_to.reason IS
    'Text behind the status: the other side''s reply or Postfix''s own words. Personal data.';
COMMENT ON COLUMN delivery_to.next_queue_id IS
    'Queue id in "queued as" or "forwarded as": the mail''s next row, here or at the next host.';

CREATE INDEX delivery_to_from_id ON delivery_to (from_id, day);
CREATE INDEX delivery_to_recipient ON delivery_to (lower(recipient));
CREATE INDEX delivery_to_orig_to ON delivery_to (lower(orig_to)) WHERE orig_to IS NOT NULL;

CREATE TABLE delivery_attempt (
    day        date NOT NULL,
    to_id      bigint NOT NULL,
    t          timestamptz NOT NULL,
    daemon     text,
    relay      text,
    delay      double precision,
    dsn        text,
    status     text,
    reply_code integer,
    reason     text
) PARTITION BY RANGE (day);

COMMENT ON TABLE delivery_attempt IS 'The history behind delivery_to: one row per delivery record that another of the same recipient replaced.';
COMMENT ON COLUMN delivery_attempt.day IS
    'Day of the mail; the partition key.';
COMMENT ON COLUMN delivery_attempt.to_id IS
    'The recipient: delivery_to (day, id).';
COMMENT ON COLUMN delivery_attempt.t IS
    'Time of the record.';
COMMENT ON COLUMN delivery_attempt.daemon IS
    'Delivery agent.';
COMMENT ON COLUMN delivery_attempt.relay IS
    'relay= as logged.';
COMMENT ON COLUMN delivery_attempt.delay IS
    'Seconds from arrival to this record.';
COMMENT ON COLUMN delivery_attempt.dsn IS
    'Enhanced status code (RFC 3463).';
COMMENT ON COLUMN delivery_attempt.status IS
    'Postfix''s word.';
COMMENT ON COLUMN delivery_attempt.reply_code IS
    'SMTP reply code in reason.';
COMMENT ON COLUMN delivery_attempt.reason IS
    'Text behind the status. Personal data.';

CREATE INDEX delivery_attempt_to_id ON delivery_attempt (to_id);

CREATE TABLE noqueue (
    day            date NOT NULL,
    id             bigint NOT NULL,
    from_id        bigint,
    mta            text NOT NULL,
    syslog_name    text,
    daemon         text NOT NULL,
    t              timestamptz NOT NULL,
    queue_id       text,
    client_name    text,
    client_address inet,
    client_port    integer,
    action         text NOT NULL,
    refused        boolean GENERATED ALWAYS AS (action = 'drop' OR action LIKE '%reject') STORED,
    temporary      boolean GENERATED ALWAYS AS (coalesce(reply_code / 100 = 4, dsn LIKE '4.%', false)) STORED,
    protocol_state text,
    reply_code     integer,
    dsn            text,
    reason         text,
    sender         text,
    recipient      text,
    protocol_name  text,
    helo_name      text,
    sasl_method    text,
    sasl_username  text,
    sasl_sender    text,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);

COMMENT ON TABLE noqueue IS 'One row per verdict on a transaction, most of them before there is a mail.';
COMMENT ON COLUMN noqueue.day IS
    'Day of the mail where from_id is set, else UTC day of t; the partition key.';
COMMENT ON COLUMN noqueue.id IS
    'Row number, unique over all tables of this schema.';
COMMENT ON COLUMN noqueue.from_id IS
    'The mail, where the verdict''s line has a queue id: delivery_from (day, id).';
COMMENT ON COLUMN noqueue.mta IS
    'Host that wrote the log line, after the keys mta and mta_names.';
COMMENT ON COLUMN noqueue.syslog_name IS
    'The daemon''s syslog_name, with its service (postfix/submission).';
COMMENT ON COLUMN noqueue.daemon IS
    'smtpd, postscreen or cleanup.';
COMMENT ON COLUMN noqueue.t IS
    'Time of the verdict.';
COMMENT ON COLUMN noqueue.queue_id IS
    'Queue id, where the line has one.';
COMMENT ON COLUMN noqueue.client_name IS
    'SMTP client, its verified host name or unknown. Personal data.';
COMMENT ON COLUMN noqueue.client_address IS
    'SMTP client, its address. Personal data.';
COMMENT ON COLUMN noqueue.client_port IS
    'SMTP client, its port, where logged. Personal data.';
COMMENT ON COLUMN noqueue.action IS
    'The verdict as logged: reject, reject_warning, warn, hold, discard, milter-reject, drop...';
COMMENT ON COLUMN noqueue.refused IS
    'The verdict refuses: reject, milter-reject, proxy-reject, drop.';
COMMENT ON COLUMN noqueue.temporary IS
    'The refusal asks to come back: 4xx, or 4.x.x where no SMTP code is logged.';
COMMENT ON COLUMN noqueue.protocol_state IS
    'SMTP state of the verdict: CONNECT, EHLO, MAIL, RCPT, DATA, END-OF-MESSAGE.';
COMMENT ON COLUMN noqueue.reply_code IS
    'SMTP reply code.';
COMMENT ON COLUMN noqueue.dsn IS
    'Enhanced status code (RFC 3463).';
COMMENT ON COLUMN noqueue.reason IS
    'Text of the reply without its codes; for header and body checks the rule''s own text. Personal data.';
COMMENT ON COLUMN noqueue.sender IS
    'Envelope sender. Personal data.';
COMMENT ON COLUMN noqueue.recipient IS
    'Recipient named in the line; with a content verdict the last of possibly several. Personal data.';
COMMENT ON COLUMN noqueue.protocol_name IS
    'SMTP or ESMTP.';
COMMENT ON COLUMN noqueue.helo_name IS
    'Name given with HELO or EHLO. Personal data.';
COMMENT ON COLUMN noqueue.sasl_method IS
    'SASL mechanism.';
COMMENT ON COLUMN noqueue.sasl_username IS
    'SASL login name. Personal data.';
COMMENT ON COLUMN noqueue.sasl_sender IS
    'Sender from the AUTH= parameter of MAIL FROM, as logged (xtext). Personal data.';

CREATE INDEX noqueue_from_id ON noqueue (from_id) WHERE from_id IS NOT NULL;
CREATE INDEX noqueue_sender ON noqueue (lower(sender));
CREATE INDEX noqueue_recipient ON noqueue (lower(recipient));
CREATE INDEX noqueue_client_address ON noqueue (client_address);
CREATE INDEX noqueue_sasl_username ON noqueue (lower(sasl_username)) WHERE sasl_username IS NOT NULL;

CREATE TABLE source (
    id           bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    kind         text NOT NULL,
    identity     text NOT NULL,
    name         text NOT NULL,
    mta          text,
    position     text NOT NULL,
    digest       text NOT NULL,
    t            timestamptz,
    t_first      timestamptz,
    lines        bigint NOT NULL DEFAULT 0,
    unrecognised bigint NOT NULL DEFAULT 0,
    forged       bigint NOT NULL DEFAULT 0,
    too_old      bigint NOT NULL DEFAULT 0,
    known        bigint NOT NULL DEFAULT 0,
    state        json NOT NULL DEFAULT '{}',
    unjoined     boolean NOT NULL DEFAULT false,
    updated_at   timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE source IS 'What is read, and how far: one row per journal of a machine and per log file.';
COMMENT ON COLUMN source.id IS
    'Row number.';
COMMENT ON COLUMN source.kind IS
    'journal, file, or stream (standard input).';
COMMENT ON COLUMN source.identity IS
    'journal: the machine id; file: SHA-256 of its first line.';
COMMENT ON COLUMN source.name IS
    'Folder or path it was last read from.';
COMMENT ON COLUMN source.mta IS
    'Host of its latest line.';
COMMENT ON COLUMN source.position IS
    'Journal cursor, or bytes read of the decompressed text. Written in the transaction of the rows.';
COMMENT ON COLUMN source.digest IS
    'File: SHA-256 of the decompressed text up to the position.';
COMMENT ON COLUMN source.t IS
    'Time of the last entry read or passed over.';
COMMENT ON COLUMN source.t_first IS
    'Time of the first line stored.';
COMMENT ON COLUMN source.lines IS
    'Postfix lines read.';
COMMENT ON COLUMN source.unrecognised IS
    'Of these, lines not recognised.';
COMMENT ON COLUMN source.forged IS
    'Journal entries with Postfix''s identifier that are not from Postfix.';
COMMENT ON COLUMN source.too_old IS
    'Rows not stored because retention would delete them at once.';
COMMENT ON COLUMN source.known IS
    'Lines not stored because another source had told them.';
COMMENT ON COLUMN source.state IS
    'Sessions that are open: what processes said over several lines and what is not yet in a row. Bounded. Personal data.';
COMMENT ON COLUMN source.unjoined IS
    'Lines of this file were stored, and halves of mails were not yet looked for.';
COMMENT ON COLUMN source.updated_at IS
    'When the position was last written.';

CREATE INDEX source_identity ON source (kind, identity);

CREATE TABLE open_mail (
    mta       text NOT NULL,
    queue_id  text NOT NULL,
    day       date NOT NULL,
    id        bigint NOT NULL,
    source_id bigint NOT NULL,
    born      smallint NOT NULL,
    t_f       timestamptz NOT NULL,
    ended_at  timestamptz,
    seen_at   timestamptz,
    PRIMARY KEY (mta, queue_id, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);

COMMENT ON TABLE open_mail IS 'Mails whose next line is still expected: those in the queue, and those ended within the hour. Small.';
COMMENT ON COLUMN open_mail.mta IS
    'Host.';
COMMENT ON COLUMN open_mail.queue_id IS
    'Queue id.';
COMMENT ON COLUMN open_mail.day IS
    'The mail: delivery_from (day, id).';
COMMENT ON COLUMN open_mail.id IS
    'The mail: delivery_from (day, id).';
COMMENT ON COLUMN open_mail.source_id IS
    'Source that wrote the mail last.';
COMMENT ON COLUMN open_mail.born IS
    'How its beginning was seen: 0 not, 1 message-id, 2 notice, 3 client or uid.';
COMMENT ON COLUMN open_mail.t_f IS
    'Latest time that this source said of it.';
COMMENT ON COLUMN open_mail.ended_at IS
    'When the queue file went away.';
COMMENT ON COLUMN open_mail.seen_at IS
    'When reconcile saw it in Postfix''s queue; renewed once a day.';

CREATE INDEX open_mail_ended ON open_mail (source_id, ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE host (
    mta    text PRIMARY KEY,
    writer bigint
);

COMMENT ON TABLE host IS 'Hosts whose mails are stored. Whoever changes mails of a host locks its row.';
COMMENT ON COLUMN host.mta IS
    'Host.';
COMMENT ON COLUMN host.writer IS
    'Session that changed its mails last, a random number: what it remembers of them is still true. NULL: somebody else did.';

CREATE TABLE gap (
    id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    source_id  bigint,
    mta        text,
    t_from     timestamptz,
    t_to       timestamptz,
    lost       bigint,
    reason     text NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE gap IS 'Times for which the log itself lost lines.';
COMMENT ON COLUMN gap.id IS
    'Row number.';
COMMENT ON COLUMN gap.source_id IS
    'Source with the gap.';
COMMENT ON COLUMN gap.mta IS
    'Host, where known.';
COMMENT ON COLUMN gap.t_from IS
    'Begin of the time with lost lines.';
COMMENT ON COLUMN gap.t_to IS
    'End of it.';
COMMENT ON COLUMN gap.lost IS
    'Number of lines lost, where known.';
COMMENT ON COLUMN gap.reason IS
    'What was seen.';
COMMENT ON COLUMN gap.noticed_at IS
    'When it was noticed.';

CREATE TABLE stored_span (
    source_id bigint NOT NULL,
    mta       text NOT NULL,
    id        bigint GENERATED BY DEFAULT AS IDENTITY,
    t_from    timestamptz NOT NULL,
    t_to      timestamptz NOT NULL,
    lines     bytea NOT NULL,
    PRIMARY KEY (source_id, mta, id)
);
ALTER TABLE stored_span ALTER lines SET STORAGE EXTERNAL;

COMMENT ON TABLE stored_span IS 'What a source told of a host, in runs of lines, each at most a day long: of other sources only lines that are not in it are stored.';
COMMENT ON COLUMN stored_span.source_id IS
    'Source.';
COMMENT ON COLUMN stored_span.mta IS
    'Host.';
COMMENT ON COLUMN stored_span.id IS
    'Number of the run.';
COMMENT ON COLUMN stored_span.t_from IS
    'Time of its earliest line.';
COMMENT ON COLUMN stored_span.t_to IS
    'Time of its latest line.';
COMMENT ON COLUMN stored_span.lines IS
    'Fingerprints of the lines that left something, 8 bytes each: too little to tell what they said.';

CREATE INDEX stored_span_time ON stored_span (mta, t_to, t_from);

-- Skips from one source and host to the next: the table is long.
CREATE VIEW stored_time AS
WITH RECURSIVE told AS (
    (SELECT source_id, mta FROM stored_span ORDER BY source_id, mta LIMIT 1)
    UNION ALL
    SELECT next.source_id, next.mta
    FROM told CROSS JOIN LATERAL (
        SELECT s.source_id, s.mta FROM stored_span s
        WHERE (s.source_id, s.mta) > (told.source_id, told.mta)
        ORDER BY s.source_id, s.mta LIMIT 1
    ) next
)
SELECT told.source_id, told.mta, first.t_from, last.t_to
FROM told
CROSS JOIN LATERAL (
    SELECT s.t_from FROM stored_span s WHERE s.source_id = told.source_id AND s.mta = told.mta
    ORDER BY s.id LIMIT 1
) first
CROSS JOIN LATERAL (
    SELECT s.t_to FROM stored_span s WHERE s.source_id = told.source_id AND s.mta = told.mta
    ORDER BY s.id DESC LIMIT 1
) last;
COMMENT ON VIEW stored_time IS
    'Of which hosts each source told lines, from the first run of them to the last.';

CREATE TABLE unrecognised (
    daemon   text NOT NULL,
    shape    text NOT NULL,
    example  text NOT NULL,
    sqlstate text NOT NULL DEFAULT '',
    count    bigint NOT NULL,
    t_first  timestamptz,
    t_last   timestamptz,
    PRIMARY KEY (daemon, shape, sqlstate)
);

COMMENT ON TABLE unrecognised IS 'Lines of Postfix that are not recognised, by daemon and shape, and lines whose row the database refused.';
COMMENT ON COLUMN unrecognised.daemon IS
    'Daemon that wrote the line.';
COMMENT ON COLUMN unrecognised.shape IS
    'The text with addresses, names, ids and numbers replaced.';
COMMENT ON COLUMN unrecognised.example IS
    'One text, with addresses masked.';
COMMENT ON COLUMN unrecognised.sqlstate IS
    'Set where the line was recognised but the database refused its row.';
COMMENT ON COLUMN unrecognised.count IS
    'Number of lines.';
COMMENT ON COLUMN unrecognised.t_first IS
    'First seen.';
COMMENT ON COLUMN unrecognised.t_last IS
    'Last seen.';

CREATE TABLE queue_event (
    id          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    mta         text NOT NULL,
    t           timestamptz NOT NULL,
    syslog_name text NOT NULL,
    pid         bigint,
    action      text NOT NULL,
    named       bigint NOT NULL,
    messages    bigint
);

COMMENT ON TABLE queue_event IS 'What postsuper did to the queue: one row per run of it and action. Where messages is greater than named, the others were changed without logging their ids (postsuper -d ALL).';
COMMENT ON COLUMN queue_event.id IS
    'Row number.';
COMMENT ON COLUMN queue_event.mta IS
    'Host.';
COMMENT ON COLUMN queue_event.t IS
    'Time of the run''s last line, which is that with the total.';
COMMENT ON COLUMN queue_event.syslog_name IS
    'Instance.';
COMMENT ON COLUMN queue_event.pid IS
    'Process: lines of one run have the same.';
COMMENT ON COLUMN queue_event.action IS
    'What postsuper says it did: Deleted, Requeued, Placed on hold, Released from hold, Force-expired, Renamed to match inode number (then queue ids changed, and the log does not tell which).';
COMMENT ON COLUMN queue_event.named IS
    'To how many messages whose queue ids it logged. Rule: sum.';
COMMENT ON COLUMN queue_event.messages IS
    'To how many messages in all. NULL: the run''s last line was not seen.';

CREATE INDEX queue_event_t ON queue_event (mta, t);

CREATE TABLE login (
    hour           timestamptz NOT NULL,
    mta            text NOT NULL,
    syslog_name    text NOT NULL,
    client_name    text,
    client_address inet,
    sasl_method    text,
    sasl_username  text,
    reason         text,
    failed         bigint NOT NULL,
    succeeded      bigint NOT NULL,
    t_i            timestamptz NOT NULL,
    t_f            timestamptz NOT NULL,
    CHECK ((failed > 0) <> (succeeded > 0))
) WITH (fillfactor = 70);

COMMENT ON TABLE login IS 'Logins of SMTP clients, summed: one row per hour, service, client address, mechanism, account, and reason of failure. A row counts either failed or succeeded ones. Failed ones are kept as long as noqueue, succeeded ones as long as delivery_from.';
COMMENT ON COLUMN login.hour IS
    'Begin of the hour.';
COMMENT ON COLUMN login.mta IS
    'Host that wrote the log lines, after the keys mta and mta_names.';
COMMENT ON COLUMN login.syslog_name IS
    'smtpd''s syslog_name, with its service (postfix/submission).';
COMMENT ON COLUMN login.client_name IS
    'A verified host name of the client in that hour, else unknown. Rule: greatest. Personal data.';
COMMENT ON COLUMN login.client_address IS
    'Client, its address. Personal data.';
COMMENT ON COLUMN login.sasl_method IS
    'SASL mechanism in capitals, where known.';
COMMENT ON COLUMN login.sasl_username IS
    'Account as the client named it, cut at 255 bytes. NULL: the log does not tell it (failures before Postfix 3.9, before 3.5.22 to 3.8.3 of the older releases; logins with no mail behind them). Personal data.';
COMMENT ON COLUMN login.reason IS
    'Why it failed, in the words of the SASL library, cut at 255 bytes. NULL: it succeeded, or no reason was given. Personal data.';
COMMENT ON COLUMN login.failed IS
    'Tries that failed, were given up by the client, or came too fast (AUTH command rate). Rule: sum.';
COMMENT ON COLUMN login.succeeded IS
    'Sessions that were logged in. Rule: sum.';
COMMENT ON COLUMN login.t_i IS
    'First of them. Rule: earliest line.';
COMMENT ON COLUMN login.t_f IS
    'Latest of them. Rule: latest line.';

CREATE UNIQUE INDEX login_key ON login (
    hour, mta, syslog_name, coalesce(client_address, '::'), coalesce(sasl_username, ''),
    coalesce(sasl_method, ''), coalesce(reason, ''), (failed > 0));
CREATE INDEX login_username ON login (lower(sasl_username));

CREATE TABLE retention_log (
    t           timestamptz NOT NULL DEFAULT now(),
    day         date,
    table_name  text NOT NULL,
    rows        bigint NOT NULL,
    oldest_left date
);

COMMENT ON TABLE retention_log IS 'What retention deleted.';
COMMENT ON COLUMN retention_log.t IS
    'When the clean-up ran.';
COMMENT ON COLUMN retention_log.day IS
    'Day that was cleaned, where one day.';
COMMENT ON COLUMN retention_log.table_name IS
    'Table.';
COMMENT ON COLUMN retention_log.rows IS
    'Rows deleted (for a dropped partition: its rows by estimate or count).';
COMMENT ON COLUMN retention_log.oldest_left IS
    'Oldest day left afterwards.';

-- One partition of each delivery table for the days [p_from, p_to). Created apart and then attached:
-- CREATE TABLE ... PARTITION OF would make writers wait for a running report.
CREATE FUNCTION create_partition(p_table text, p_from date, p_to date) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    child text := p_table || '_' || to_char(p_from, 'YYYYMMDD');
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE)',
                   child, p_table);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   p_table, child, p_from, p_to);
END
$$;
COMMENT ON FUNCTION create_partition(text, date, date) IS
    'Make the partition of a delivery table for the days from p_from up to, not including, p_to.';

-- What the delivery agents said, record by record: the latest of each recipient and those before.
CREATE VIEW delivery_record AS
SELECT day, from_id, id AS to_id, mta, queue_id, recipient, orig_to, t_status AS t, daemon, relay,
       delay, dsn, status, reply_code, reason
FROM delivery_to
UNION ALL
SELECT a.day, t.from_id, t.id, t.mta, t.queue_id, t.recipient, t.orig_to, a.t, a.daemon, a.relay,
       a.delay, a.dsn, a.status, a.reply_code, a.reason
FROM delivery_attempt a
JOIN delivery_to t ON t.day = a.day AND t.id = a.to_id;
COMMENT ON VIEW delivery_record IS
    'One row per delivery record that is kept, of delivery_to and of delivery_attempt. Not kept, only counted in delivery_to.skipped, are records in which nothing was tried, behind one that is kept.';

-- A mail and the mail it became: from one queue file to the next, on this host or another one.
-- A queue id that comes back is told apart by time, and by the Message-ID or the id it had before.
CREATE VIEW journey AS
SELECT f.day, f.id AS from_id, f.mta, f.queue_id, t.day AS to_day, t.id AS to_id, t.recipient, t.t_status AS t,
       CASE WHEN t.reason LIKE 'forwarded as %' THEN 'forward'
            WHEN n.mta = f.mta THEN 'filter'
            ELSE 'relay' END AS how,
       n.day AS next_day, n.id AS next_id, n.mta AS next_mta, n.queue_id AS next_queue_id
FROM delivery_to t
JOIN delivery_from f ON f.day = t.day AND f.id = t.from_id
JOIN delivery_from n ON n.queue_id = t.next_queue_id AND n.id <> f.id
 AND n.day BETWEEN (t.t_status AT TIME ZONE 'UTC')::date - 1 AND (t.t_status AT TIME ZONE 'UTC')::date + 1
 AND (n.message_id = f.message_id OR (n.orig_queue_id = f.queue_id AND n.mta = f.mta))
WHERE t.status = 'sent'
UNION ALL
SELECT f.day, f.id, f.mta, f.queue_id, t.day, t.id, t.recipient, t.t_status, 'filter',
       n.day, n.id, n.mta, n.queue_id
FROM delivery_to t
JOIN delivery_from f ON f.day = t.day AND f.id = t.from_id
JOIN delivery_from n ON n.message_id = f.message_id AND n.mta = f.mta AND n.id <> f.id
 AND n.day BETWEEN (t.t_status AT TIME ZONE 'UTC')::date - 1 AND (t.t_status AT TIME ZONE 'UTC')::date + 1
 AND n.t_i BETWEEN t.t_status - t.delay * interval '1 second' AND t.t_status + interval '1 minute'
 AND (n.origin = 'local' OR n.client_address <<= ANY ('{127.0.0.0/8,::1}'::inet[]))
WHERE t.status = 'sent' AND t.daemon = 'pipe' AND t.next_queue_id IS NULL
UNION ALL
SELECT f.day, f.id, f.mta, f.queue_id, NULL, NULL, NULL, coalesce(f.removed_at, f.t_f),
       CASE WHEN f.removed_by = 'requeued' THEN 'requeue' ELSE 'proxy' END,
       n.day, n.id, n.mta, n.queue_id
FROM delivery_from f
JOIN delivery_from n ON n.queue_id = f.next_queue_id AND n.mta = f.mta AND n.id <> f.id AND n.t_f >= f.t_f
 AND (n.orig_queue_id = f.queue_id OR n.message_id = f.message_id OR f.message_id IS NULL)
 AND n.day BETWEEN (f.t_f AT TIME ZONE 'UTC')::date - 1 AND (f.t_f AT TIME ZONE 'UTC')::date + 1
UNION ALL
SELECT f.day, f.id, f.mta, f.queue_id, NULL, NULL, NULL, n.t_i, 'notice', n.day, n.id, n.mta, n.queue_id
FROM delivery_from f
JOIN delivery_from n ON n.notification_for = f.queue_id AND n.notification_for_id = f.id
 AND n.mta = f.mta AND n.day BETWEEN f.day AND f.day + 14;
COMMENT ON VIEW journey IS
    'A mail and the mail that came of it, one row per step: (day, from_id) became (next_day, next_id); (to_day, to_id) is the recipient that went on so, NULL where all did. how: filter (came back to the same host), forward (by local), relay (to another host of ours), requeue (postsuper -r), proxy (passed on by a before-queue proxy), notice (Postfix wrote one about it).';

-- What became of a recipient (NULL: of a mail of which no recipient is known) that p_next_mta, a host
-- of ours, got on. It stands there once: the server would not take the function apart otherwise where
-- a query is given for it.
CREATE FUNCTION fate_of(f delivery_from, t delivery_to, p_next_mta text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN f.origin = 'probe' THEN 'probe'
        WHEN t.status = 'sent' THEN coalesce(
            CASE
                WHEN t.daemon = 'discard' OR t.reason IN ('discarded', 'delivered to file: /dev/null')
                    THEN 'discarded'
                WHEN t.reason LIKE 'forwarded as %' THEN 'handed on'
            END,
            CASE p_next_mta = f.mta WHEN true THEN 'filtered on' WHEN false THEN 'handed on' END,
            CASE
                WHEN t.daemon = 'smtp' AND t.relay_address <<= ANY ('{127.0.0.0/8,::1}'::inet[])
                    THEN CASE WHEN t.next_queue_id IS NULL THEN 'swallowed by filter'
                              ELSE 'filtered on' END
                WHEN t.daemon = 'smtp' THEN 'accepted elsewhere'
                ELSE 'delivered'
            END)
        WHEN t.status IN ('bounced', 'undeliverable') THEN 'returned'
        WHEN f.expired_at IS NOT NULL THEN 'expired'
        WHEN f.removed_by = 'postsuper' THEN 'deleted'
        WHEN f.removed_by = 'vanished' THEN 'vanished'
        WHEN f.removed_by = 'requeued' THEN 'handed on'
        WHEN f.accepted IS FALSE THEN 'refused'
        WHEN f.removed_by = 'discarded' OR f.verdict LIKE '%discard' THEN 'discarded'
        WHEN f.removed_by = 'canceled' THEN 'not completed'
        WHEN f.removed_at IS NULL AND f.held_at > coalesce(f.released_at, '-infinity') THEN 'held'
        WHEN f.removed_at IS NULL AND (f.queued_at IS NOT NULL OR f.held_at IS NOT NULL) THEN 'waiting'
        WHEN f.removed_at IS NULL AND f.accepted IS NULL AND f.t_f < now() - interval '15 min'
            THEN 'not completed'
    END
$$;
COMMENT ON FUNCTION fate_of(delivery_from, delivery_to, text) IS
    'The fate of a recipient, as the view delivery tells it: of a mail, a recipient of it or NULL, and the host of ours that the mail went on to or NULL.';

-- Both sides of a mail, one row per recipient (one without recipient where none is known).
CREATE VIEW delivery AS
SELECT f.day, f.id AS from_id, t.id AS to_id, f.mta, f.syslog_name, f.service, f.queue_id, f.origin,
       f.t_i, coalesce(t.t_status, f.t_f) AS t, f.client_name, f.client_address, f.sasl_username,
       f.uid, f.is_submission, f.sender, f.sender_given, f.message_id, f.subject, f.size, f.accepted,
       t.recipient, t.orig_to, t.status, t.dsn, t.reason, t.relay, t.daemon, t.attempts, t.skipped,
       t.copies, t.delay, t.next_queue_id, f.orig_queue_id, f.queued_at, f.held_at, f.released_at,
       f.expired_at, f.removed_at, f.removed_by, f.verdict, f.protocol_state,
       f.dsn AS refusal_dsn, f.reason AS refusal_reason, f.notification, f.notification_for,
       fate_of(f, t, (SELECT j.next_mta FROM journey j
                      WHERE t.daemon IN ('smtp', 'lmtp', 'pipe') AND j.day = t.day AND j.to_id = t.id
                      LIMIT 1)) AS fate
FROM delivery_from f
LEFT JOIN delivery_to t ON t.day = f.day AND t.from_id = f.id;
COMMENT ON VIEW delivery IS
    'Mails with their recipients and what became of each. fate: delivered (here), accepted elsewhere, handed on (to another mail of ours, on this host by an alias or requeued, or on another host), filtered on (came back through a filter), waiting, held, returned, expired, discarded, swallowed by filter, deleted, refused, not completed, vanished, probe; NULL where the log does not tell, as of a mail closed by age.';

-- What a refusal was for. Postfix's own words, in the order in which one excludes the next.
CREATE FUNCTION refusal(daemon text, action text, protocol_state text, dsn text, temporary boolean, reason text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE
    WHEN reason LIKE '%blocked using%' OR reason LIKE '%DNSBL rank%' THEN 'blocklist'
    WHEN daemon = 'postscreen' THEN 'postscreen'
    WHEN temporary AND (reason LIKE '%reylist%' OR reason LIKE '%raylist%' OR reason LIKE '%come back later%')
        THEN 'greylisted'
    WHEN daemon = 'cleanup' OR action IN ('milter-reject', 'proxy-reject')
         OR protocol_state IN ('DATA', 'BDAT', 'END-OF-MESSAGE') THEN 'content'
    WHEN reason LIKE '%Relay access denied%' THEN 'relaying'
    WHEN dsn LIKE '_.1.1' OR dsn LIKE '_.1.10' THEN 'unknown recipient'
    WHEN reason LIKE '%Sender address rejected%' THEN 'sender'
    WHEN reason LIKE '%Client host rejected%' OR reason LIKE '%Helo command rejected%' THEN 'client'
    ELSE 'policy'
END
$$;
COMMENT ON FUNCTION refusal(text, text, text, text, boolean, text) IS
    'What kind of refusal a verdict in noqueue is: blocklist, postscreen (its other tests), greylisted, content (header and body checks, milters, proxies, after DATA), relaying, unknown recipient, sender, client (its name, address or HELO), policy (the rest).';

CREATE TABLE mail_hourly (
    hour               timestamptz NOT NULL,
    mta                text NOT NULL,
    received           bigint NOT NULL,
    from_outside       bigint NOT NULL,
    from_users         bigint NOT NULL,
    notices            bigint NOT NULL,
    received_bytes     bigint NOT NULL,
    delivered          bigint NOT NULL,
    accepted_elsewhere bigint NOT NULL,
    waiting            bigint NOT NULL,
    held               bigint NOT NULL,
    returned           bigint NOT NULL,
    expired            bigint NOT NULL,
    discarded          bigint NOT NULL,
    deleted            bigint NOT NULL,
    not_known          bigint NOT NULL,
    delayed            bigint NOT NULL,
    delivered_bytes    bigint NOT NULL,
    PRIMARY KEY (hour, mta)
);

COMMENT ON TABLE mail_hourly IS 'Totals of the mails that began within an hour at a host, each mail and recipient counted once, as far as was known at the last clean-up. No personal data; kept for 400 days, longer than what they were counted from. Columns from delivered to not_known count recipients.';
COMMENT ON COLUMN mail_hourly.hour IS
    'Beginning of the hour.';
COMMENT ON COLUMN mail_hourly.mta IS
    'Host.';
COMMENT ON COLUMN mail_hourly.received IS
    'Mails that came in; not again those that came back through a filter, were forwarded, requeued or handed to another host of ours.';
COMMENT ON COLUMN mail_hourly.from_outside IS
    'Of these, from other servers.';
COMMENT ON COLUMN mail_hourly.from_users IS
    'Of these, from our users: submission, sendmail.';
COMMENT ON COLUMN mail_hourly.notices IS
    'Of these, notices that Postfix made.';
COMMENT ON COLUMN mail_hourly.received_bytes IS
    'Octets of the mails received.';
COMMENT ON COLUMN mail_hourly.delivered IS
    'Delivered here.';
COMMENT ON COLUMN mail_hourly.accepted_elsewhere IS
    'Accepted by other servers.';
COMMENT ON COLUMN mail_hourly.waiting IS
    'Still in the queue.';
COMMENT ON COLUMN mail_hourly.held IS
    'On hold.';
COMMENT ON COLUMN mail_hourly.returned IS
    'Returned to the sender.';
COMMENT ON COLUMN mail_hourly.expired IS
    'Given up and returned.';
COMMENT ON COLUMN mail_hourly.discarded IS
    'Thrown away by a rule, or swallowed by a filter.';
COMMENT ON COLUMN mail_hourly.deleted IS
    'Deleted with postsuper.';
COMMENT ON COLUMN mail_hourly.not_known IS
    'The log does not tell.';
COMMENT ON COLUMN mail_hourly.delayed IS
    'Deferred at least once, whatever became of them.';
COMMENT ON COLUMN mail_hourly.delivered_bytes IS
    'Octets delivered or accepted elsewhere, once for each recipient.';

CREATE TABLE noqueue_hourly (
    hour      timestamptz NOT NULL,
    mta       text NOT NULL,
    refusal   text NOT NULL,
    refused   bigint NOT NULL,
    temporary bigint NOT NULL,
    PRIMARY KEY (hour, mta, refusal)
);

COMMENT ON TABLE noqueue_hourly IS 'Totals of the refusals of an hour by host and kind, as far as was known at the last clean-up. No personal data; kept for 400 days, longer than what they were counted from.';
COMMENT ON COLUMN noqueue_hourly.hour IS
    'Beginning of the hour.';
COMMENT ON COLUMN noqueue_hourly.mta IS
    'Host.';
COMMENT ON COLUMN noqueue_hourly.refusal IS
    'Kind, as function refusal() tells it.';
COMMENT ON COLUMN noqueue_hourly.refused IS
    'Refusals.';
COMMENT ON COLUMN noqueue_hourly.temporary IS
    'Of these, told to come back (4xx).';

CREATE TABLE hourly_filled (
    table_name text NOT NULL,
    day        date NOT NULL,
    filled_at  timestamptz NOT NULL,
    changes    bigint NOT NULL,
    PRIMARY KEY (table_name, day)
);

COMMENT ON TABLE hourly_filled IS 'Which days mail_hourly and noqueue_hourly were filled for, and when: a day is filled again when rows have changed since.';
COMMENT ON COLUMN hourly_filled.table_name IS
    'delivery (then mail_hourly was filled) or noqueue (noqueue_hourly).';
COMMENT ON COLUMN hourly_filled.day IS
    'UTC day.';
COMMENT ON COLUMN hourly_filled.filled_at IS
    'When it was last filled.';
COMMENT ON COLUMN hourly_filled.changes IS
    'How many rows the day''s partition had seen inserted, changed and deleted by then, as the server counts them.';

-- View journey over some days, without forwards and notices, for many mails at once: the same rules,
-- without a look-up by row. A test holds both to the same answer.
CREATE FUNCTION hop_between(p_first date, p_last date, p_next_first date, p_next_last date, p_after timestamptz)
RETURNS TABLE (day date, from_id bigint, to_id bigint, mta text, next_day date, next_id bigint, next_mta text)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
WITH queued AS MATERIALIZED (
    SELECT t.day, t.from_id, t.id AS to_id, t.mta, t.queue_id, n.day AS next_day, n.id AS next_id,
           n.mta AS next_mta, n.message_id, n.orig_queue_id
    FROM delivery_to t
    JOIN delivery_from n ON n.queue_id = t.next_queue_id AND n.id <> t.from_id
     AND n.day BETWEEN (t.t_status AT TIME ZONE 'UTC')::date - 1 AND (t.t_status AT TIME ZONE 'UTC')::date + 1
    WHERE t.status = 'sent' AND t.daemon IN ('smtp', 'lmtp', 'pipe')
      AND t.day BETWEEN p_first AND p_last AND t.t_status >= p_after AND n.day BETWEEN p_next_first AND p_next_last
)
SELECT q.day, q.from_id, q.to_id, q.mta, q.next_day, q.next_id, q.next_mta
FROM queued q
JOIN delivery_from f ON f.day = q.day AND f.id = q.from_id AND f.day BETWEEN p_first AND p_last
WHERE f.message_id = q.message_id OR (q.orig_queue_id = q.queue_id AND q.next_mta = q.mta)
UNION ALL
SELECT f.day, f.id, t.id, f.mta, n.day, n.id, n.mta
FROM delivery_to t
JOIN delivery_from f ON f.day = t.day AND f.id = t.from_id
JOIN delivery_from n ON n.message_id = f.message_id AND n.mta = f.mta AND n.id <> f.id
 AND n.day BETWEEN (t.t_status AT TIME ZONE 'UTC')::date - 1 AND (t.t_status AT TIME ZONE 'UTC')::date + 1
 AND n.t_i BETWEEN t.t_status - t.delay * interval '1 second' AND t.t_status + interval '1 minute'
 AND (n.origin = 'local' OR n.client_address <<= ANY ('{127.0.0.0/8,::1}'::inet[]))
WHERE t.status = 'sent' AND t.daemon = 'pipe' AND t.next_queue_id IS NULL
  AND t.day BETWEEN p_first AND p_last AND t.t_status >= p_after
  AND f.day BETWEEN p_first AND p_last AND n.day BETWEEN p_next_first AND p_next_last
UNION ALL
SELECT f.day, f.id, NULL, f.mta, n.day, n.id, n.mta
FROM delivery_from f
JOIN delivery_from n ON n.queue_id = f.next_queue_id AND n.mta = f.mta AND n.id <> f.id AND n.t_f >= f.t_f
 AND (n.orig_queue_id = f.queue_id OR n.message_id = f.message_id OR f.message_id IS NULL)
 AND n.day BETWEEN (f.t_f AT TIME ZONE 'UTC')::date - 1 AND (f.t_f AT TIME ZONE 'UTC')::date + 1
WHERE f.day BETWEEN p_first AND p_last AND f.t_f >= p_after
  AND n.day BETWEEN p_next_first AND p_next_last
$$;
COMMENT ON FUNCTION hop_between(date, date, date, date, timestamptz) IS
    'Mails of the days p_first to p_last that became other mails of ours after p_after, of the days p_next_first to p_next_last, as in view journey: through filters and proxies, by requeuing, on other hosts.';

-- The two questions of a report, each answered in one go over the days concerned. Rows of a mail have
-- the day it was first seen on, which is that of its beginning or a later one.
CREATE FUNCTION mail_between(p_since timestamptz, p_until timestamptz)
RETURNS TABLE (day date, id bigint, mta text, t_i timestamptz, origin text, is_submission boolean,
               client_name text, client_address inet, sasl_username text, sender text, size bigint,
               encryption_protocol text, notification text, received boolean)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT f.day, f.id, f.mta, f.t_i, f.origin, f.is_submission, f.client_name, f.client_address,
       f.sasl_username, f.sender, f.size, f.encryption_protocol, f.notification,
       f.origin NOT IN ('forward', 'requeue') AND again.next_id IS NULL
       AND (f.accepted IS TRUE OR f.queued_at IS NOT NULL OR f.held_at IS NOT NULL
            OR coalesce(f.verdict LIKE '%discard', false) OR coalesce(f.removed_by = 'discarded', false)
            OR EXISTS (SELECT FROM delivery_to t WHERE t.day = f.day AND t.from_id = f.id))
FROM delivery_from f
LEFT JOIN (
    SELECT DISTINCT next_id
    FROM hop_between((p_since AT TIME ZONE 'UTC')::date - 1, (p_until AT TIME ZONE 'UTC')::date + 1, (p_since AT TIME ZONE 'UTC')::date, (p_until AT TIME ZONE 'UTC')::date + 1, p_since - interval '1 hour')
) again ON again.next_id = f.id
WHERE f.day BETWEEN (p_since AT TIME ZONE 'UTC')::date AND (p_until AT TIME ZONE 'UTC')::date + 1
  AND f.t_i >= p_since AND f.t_i < p_until AND f.origin <> 'probe'
$$;
COMMENT ON FUNCTION mail_between(timestamptz, timestamptz) IS
    'Mails that began from p_since up to, not including, p_until; probes are left out. received: it came in, and is not a mail of ours that came back through a filter, was forwarded, requeued or handed to another host of ours: where each mail is to count once, only these do.';

CREATE FUNCTION recipient_between(p_since timestamptz, p_until timestamptz)
RETURNS TABLE (day date, from_id bigint, to_id bigint, mta text, t_i timestamptz, origin text,
               is_submission boolean, client_address inet, sasl_username text, sender text, size bigint,
               hold_reason text, recipient text, status text, dsn text, reason text, relay text,
               relay_name text, relay_address inet, queue_id text, daemon text, attempts integer,
               skipped integer, delay_conn_setup double precision, delay_transmission double precision,
               encryption_protocol text, fate text)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT f.day, f.id, t.id, f.mta, f.t_i, f.origin, f.is_submission, f.client_address, f.sasl_username,
       f.sender, f.size, f.hold_reason, t.recipient, t.status, t.dsn, t.reason, t.relay, t.relay_name,
       t.relay_address, f.queue_id, t.daemon, t.attempts, t.skipped, t.delay_conn_setup,
       t.delay_transmission, t.encryption_protocol, fate_of(f, t, step.next_mta)
FROM delivery_from f
LEFT JOIN delivery_to t ON t.day = f.day AND t.from_id = f.id AND t.day BETWEEN (p_since AT TIME ZONE 'UTC')::date AND (p_until AT TIME ZONE 'UTC')::date + 1
LEFT JOIN (
    SELECT h.to_id, coalesce(min(h.next_mta) FILTER (WHERE h.next_mta = h.mta), min(h.next_mta)) AS next_mta
    FROM (
        SELECT to_id, mta, next_mta
        FROM hop_between((p_since AT TIME ZONE 'UTC')::date, (p_until AT TIME ZONE 'UTC')::date + 1, (p_since AT TIME ZONE 'UTC')::date - 1, (p_until AT TIME ZONE 'UTC')::date + 1, '-infinity')
        UNION ALL  -- few waited for days before they went on
        SELECT to_id, mta, next_mta
        FROM hop_between((p_since AT TIME ZONE 'UTC')::date, (p_until AT TIME ZONE 'UTC')::date + 1, (p_until AT TIME ZONE 'UTC')::date + 2, 'infinity', p_until + interval '12 hours')
    ) h
    WHERE h.to_id IS NOT NULL
    GROUP BY h.to_id
) step ON step.to_id = t.id
WHERE f.day BETWEEN (p_since AT TIME ZONE 'UTC')::date AND (p_until AT TIME ZONE 'UTC')::date + 1
  AND f.t_i >= p_since AND f.t_i < p_until AND f.origin <> 'probe'
$$;
COMMENT ON FUNCTION recipient_between(timestamptz, timestamptz) IS
    'Recipients of the mails of mail_between(), with fate as in view delivery (one row without recipient where none is known). Where each recipient is to count once, leave out fates filtered on and handed on.';
