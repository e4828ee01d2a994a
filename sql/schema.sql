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
    works_with integer NOT NULL,
    PRIMARY KEY (version)
);

COMMENT ON TABLE schema_version IS 'Versions of the schema this database has had; the highest is the present one.';
COMMENT ON COLUMN schema_version.version IS
    'Version of the schema.';
COMMENT ON COLUMN schema_version.applied_at IS
    'When setup brought it here.';
COMMENT ON COLUMN schema_version.works_with IS
    'Oldest schema that a program may be made for to go on with this one.';

INSERT INTO schema_version (version, works_with) VALUES (3, 2);

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
    'Account as the client named it, cut at 255 bytes; of failures in lower case, and where no such account has logged in, a keyed hash (~ and 16 hexadecimal digits; login_hash() gives it). NULL: the log does not tell it (failures before Postfix 3.9, before 3.5.22 to 3.8.3 of the older releases; logins with no mail behind them). Personal data.';
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
    oldest_left date,
    step        text NOT NULL DEFAULT 'delete'
);

COMMENT ON TABLE retention_log IS 'What retention did: one row per table and day that something was done to, and one, of step clean, for each clean-up that was finished.';
COMMENT ON COLUMN retention_log.t IS
    'When the clean-up ran.';
COMMENT ON COLUMN retention_log.day IS
    'Day that was cleaned, where one day.';
COMMENT ON COLUMN retention_log.table_name IS
    'Table; empty for the whole clean-up.';
COMMENT ON COLUMN retention_log.rows IS
    'Rows deleted or pseudonymised; of a whole clean-up, all of them.';
COMMENT ON COLUMN retention_log.oldest_left IS
    'Oldest day left afterwards.';
COMMENT ON COLUMN retention_log.step IS
    'delete, pseudonymise, key (the key of a month''s hashes was destroyed; day is the first of it), quota (the database was larger than max_size: what is before day goes early; table_name is delivery or noqueue), clean (the clean-up was finished).';

CREATE TABLE hash_key (
    purpose      text NOT NULL,
    month        date NOT NULL,
    key          bytea,
    made_at      timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    PRIMARY KEY (purpose, month),
    CHECK ((key IS NULL) = (destroyed_at IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);  -- a destroyed key leaves the file

COMMENT ON TABLE hash_key IS 'Keys of the keyed hashes that stand in the place of personal data. Without its key a hash cannot be compared with a guess.';
COMMENT ON COLUMN hash_key.purpose IS
    'What is hashed with it: pseudonym (rows of a month), erasure (who was forgotten), login (accounts nobody has), access (what was looked for).';
COMMENT ON COLUMN hash_key.month IS
    'First day of the month of the rows; 0001-01-01: of all times.';
COMMENT ON COLUMN hash_key.key IS
    'The key, 32 random bytes. NULL: destroyed.';
COMMENT ON COLUMN hash_key.made_at IS
    'When it was made.';
COMMENT ON COLUMN hash_key.destroyed_at IS
    'When it was destroyed: what was hashed with it is anonymous since.';

-- HMAC-SHA-256 (RFC 2104) without an extension. The masks of a key are made once for many texts.
CREATE FUNCTION hash_masks(p_key bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    inner_mask bytea := decode(repeat('36', 64), 'hex');
    outer_mask bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    FOR i IN 0 .. length(p_key) - 1 LOOP
        inner_mask := set_byte(inner_mask, i, get_byte(p_key, i) # 54);
        outer_mask := set_byte(outer_mask, i, get_byte(p_key, i) # 92);
    END LOOP;
    RETURN inner_mask || outer_mask;
END
$$;
COMMENT ON FUNCTION hash_masks(bytea) IS
    'What keyed_hash() needs of a key of at most 64 bytes.';

CREATE FUNCTION keyed_hash(p_text text, p_masks bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT left(encode(sha256(substr(p_masks, 65) || sha256(substr(p_masks, 1, 64) || convert_to(p_text, 'UTF8'))), 'hex'), 16)
$$;
COMMENT ON FUNCTION keyed_hash(text, bytea) IS
    'Keyed hash of a text, HMAC-SHA-256 cut to 16 hexadecimal digits; the key as hash_masks() gives it.';

-- Persons' rights: who was forgotten, and what is kept as evidence in spite of retention.
CREATE TABLE erasure (
    id         bigint GENERATED BY DEFAULT AS IDENTITY,
    kind       text NOT NULL CHECK (kind IN ('address', 'login', 'domain')),
    tags       boolean NOT NULL,
    hash       text NOT NULL,
    erased_at  timestamptz NOT NULL,
    done_at    timestamptz,
    rows       bigint NOT NULL DEFAULT 0,
    waits_for  date,
    ticket     text,
    PRIMARY KEY (id)
);

COMMENT ON TABLE erasure IS 'Who was forgotten, as keyed hashes: lines from before that are not stored when they are read again. One row per address, login or domain given to forget.';
COMMENT ON COLUMN erasure.id IS
    'Row number.';
COMMENT ON COLUMN erasure.kind IS
    'address, login, or domain (all addresses of it).';
COMMENT ON COLUMN erasure.tags IS
    'Of an address: name+tag@ is meant too.';
COMMENT ON COLUMN erasure.hash IS
    'Keyed hash (hash_key, purpose erasure) of the address, login or domain, in lower case.';
COMMENT ON COLUMN erasure.erased_at IS
    'When it was forgotten: newer lines are stored.';
COMMENT ON COLUMN erasure.done_at IS
    'When all of it was gone. NULL: it was interrupted, or waits; the clean-up or another forget finishes it.';
COMMENT ON COLUMN erasure.rows IS
    'Rows deleted or changed by the forget that this was a part of, so far.';
COMMENT ON COLUMN erasure.waits_for IS
    'Day on which rows that retain keeps may go; before it the clean-up does not try.';
COMMENT ON COLUMN erasure.ticket IS
    'Why, in the words of who did it. Put no names there.';

CREATE TABLE retained (
    id       bigint GENERATED BY DEFAULT AS IDENTITY,
    kind     text NOT NULL,
    value    text NOT NULL,
    until    date NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    ticket   text,
    PRIMARY KEY (id)
);

COMMENT ON TABLE retained IS 'Abuse cases: what retention is not to touch until a day. Gone with the clean-up on that day.';
COMMENT ON COLUMN retained.id IS
    'Row number.';
COMMENT ON COLUMN retained.kind IS
    'What value is: queue_id, login, sender, recipient, client.';
COMMENT ON COLUMN retained.value IS
    'Whose mails, as given to retain. Personal data.';
COMMENT ON COLUMN retained.until IS
    'First day on which retention applies again.';
COMMENT ON COLUMN retained.noted_at IS
    'When; what is stored later is not retained.';
COMMENT ON COLUMN retained.ticket IS
    'Why, in the words of who did it. Personal data.';

CREATE TABLE retained_row (
    day         date NOT NULL,
    id          bigint NOT NULL,
    retained_id bigint NOT NULL,
    PRIMARY KEY (day, id, retained_id)
);

COMMENT ON TABLE retained_row IS 'Rows of delivery_from, delivery_to and noqueue that retention is not to touch (of delivery_attempt, those of such a recipient). Row numbers are unique over all tables.';
COMMENT ON COLUMN retained_row.day IS
    'The row''s day.';
COMMENT ON COLUMN retained_row.id IS
    'The row''s number.';
COMMENT ON COLUMN retained_row.retained_id IS
    'On whose account: retained.id.';

-- One partition of each delivery table for the days [p_from, p_to). Created apart and then attached:
-- CREATE TABLE ... PARTITION OF would make writers wait for a running report.
CREATE FUNCTION create_partition(p_table text, p_from date, p_to date) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    child text := p_table || '_' || to_char(p_from, 'YYYYMMDD');
    owner name := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = p_table::regclass);
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE)',
                   child, p_table);
    IF owner <> current_user THEN  -- so that each login of the writer's role may drop it
        EXECUTE format('ALTER TABLE %I OWNER TO %I', child, owner);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   p_table, child, p_from, p_to);
END
$$;
COMMENT ON FUNCTION create_partition(text, date, date) IS
    'Make the partition of a delivery table for the days from p_from up to, not including, p_to.';

-- What stands in the place of personal data after pseudonymisation, one function for each kind of it. A
-- value that has that form already stays: a second time changes nothing. Without masks (the key of the
-- month was destroyed, or only the form matters) all hashes are 0000000000000000. No pattern takes more
-- than the square of a text's 2,000 bytes.
CREATE FUNCTION pseudonym_of(p_text text, p_masks bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p_text IS NOT NULL THEN '~' || coalesce(keyed_hash(p_text, p_masks), '0000000000000000') END
$$;
COMMENT ON FUNCTION pseudonym_of(text, bytea) IS
    'The hash of a text as it stands in the place of it: ~ and 16 hexadecimal digits.';

CREATE FUNCTION domain_of(p_address text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(substring(p_address FROM '@([^@]*)$'))
$$;
COMMENT ON FUNCTION domain_of(text) IS
    'The domain of a mail address, in lower case; NULL where it has none.';

CREATE FUNCTION pseudonym_host(p_value text, p_masks bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN p_value IN ('', 'unknown', 'localhost') OR p_value ~ '^~[0-9a-f]{16}$' THEN p_value
        WHEN length(p_value) > 255 THEN pseudonym_of(lower(p_value), p_masks)
        WHEN p_value ~ '^\[?[0-9]{1,3}(\.[0-9]{1,3}){3}(/16)?\]?$'
            THEN regexp_replace(p_value, '^\[?([0-9]+\.[0-9]+)\..*$', '\1.0.0/16')
        WHEN p_value ~* '^\[?(ipv6:)?[0-9a-f]{0,4}:[0-9a-f]{0,4}:[0-9a-f:.]*(/32)?\]?$'
            THEN regexp_replace(lower(p_value), '^\[?(?:ipv6:)?([0-9a-f]*):([0-9a-f]*):.*$',
                                CASE WHEN p_value ~* '^\[?(ipv6:)?[0-9a-f]*::' THEN '\1::/32' ELSE '\1:\2::/32' END)
        WHEN p_value ~ '^[[:alnum:]_-]+(\.[[:alnum:]_-]+)+\.?$'
            THEN substring(rtrim(lower(p_value), '.') FROM
                '(?:[^.]+\.(?:ac|asn|co|com|ed|edu|go|gob|gouv|gov|gv|id|ltd|me|mil|ne|net|nhs|nom|or|org|plc|sch)\.[a-z]{2}|[^.]+\.[^.]+)$')
        ELSE pseudonym_of(lower(p_value), p_masks)
    END
$$;
COMMENT ON FUNCTION pseudonym_host(text, bytea) IS
    'A host name cut to its domain, an address in its place to its net; a name without domain hashed.';

CREATE FUNCTION pseudonym_address(p_value text, p_masks bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN p_value = '' OR p_value ~ '^~[0-9a-f]{16}(@[^@]*)?$' THEN p_value
        ELSE pseudonym_of(lower(p_value), p_masks) || CASE
            WHEN length(domain_of(p_value)) NOT BETWEEN 1 AND 255 THEN ''
            WHEN domain_of(p_value) ~ '^\[[0-9a-f:.]*\]$|^\[ipv6:[0-9a-f:.]*\]$'
                THEN '@[' || pseudonym_host(domain_of(p_value), p_masks) || ']'
            WHEN domain_of(p_value) !~ '[][[:space:][:cntrl:]"(),:;<>\\/=+~''!#$%&*?^`{|}]' THEN '@' || domain_of(p_value)
            ELSE ''
        END
    END
$$;
COMMENT ON FUNCTION pseudonym_address(text, bytea) IS
    'A mail address with its hash (of the whole address in lower case) in the place of its local part.';

CREATE FUNCTION pseudonym_client_address(p_value inet, p_masks bytea) RETURNS inet
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN p_value <<= '127.0.0.0/8' OR p_value <<= '::1/128' THEN p_value
        ELSE network(set_masklen(p_value, least(masklen(p_value), CASE family(p_value) WHEN 4 THEN 16 ELSE 40 END)))::inet
    END
$$;
COMMENT ON FUNCTION pseudonym_client_address(inet, bytea) IS
    'An IP address cut to its /16 (IPv4) or /40 (IPv6); those of this host stay.';

CREATE FUNCTION pseudonym_client(p_value text, p_masks bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN p_value ~ '^[^][]*\[[^][]*\](:[0-9]+)?$'
            THEN pseudonym_host(split_part(p_value, '[', 1), p_masks) || '['
                 || pseudonym_host(split_part(split_part(p_value, '[', 2), ']', 1), p_masks) || ']'
        ELSE pseudonym_host(p_value, p_masks)
    END
$$;
COMMENT ON FUNCTION pseudonym_client(text, bytea) IS
    'A client as Postfix writes it, name[address]: both cut; without its port.';

CREATE FUNCTION pseudonym_login(p_value text, p_masks bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p_value = '' OR p_value ~ '^~[0-9a-f]{16}$' THEN p_value
                ELSE pseudonym_of(lower(p_value), p_masks) END
$$;
COMMENT ON FUNCTION pseudonym_login(text, bytea) IS
    'The hash of a login name in lower case; where it is a mail address, that of the address.';

CREATE FUNCTION pseudonym_message_id(p_value text, p_masks bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p_value = '' OR p_value ~ '^<~[0-9a-f]{16}>$' THEN p_value
                ELSE '<' || pseudonym_of(p_value, p_masks) || '>' END
$$;
COMMENT ON FUNCTION pseudonym_message_id(text, bytea) IS
    'The hash of a Message-ID, in brackets.';

CREATE FUNCTION pseudonym_uid(p_value bigint, p_masks bytea) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p_value IS NULL OR p_value > 4294967295 THEN p_value
                ELSE 4294967296 + coalesce(('x' || left(keyed_hash(p_value::text, p_masks), 12))::bit(48)::bigint, 0) END
$$;
COMMENT ON FUNCTION pseudonym_uid(bigint, bytea) IS
    'The hash of a user id: a number above all user ids.';

CREATE FUNCTION pseudonym_text(p_value text, p_masks bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN p_value !~ '[@%<"/:]|[0-9][.-][0-9]' THEN p_value
        ELSE
            -- 6. mailboxes
            regexp_replace(
            -- 5. paths of more than two parts
            regexp_replace(
            -- 4. words in quotes or brackets: accounts
            regexp_replace(regexp_replace(
            -- 3. other local parts, also as URLs write them
            regexp_replace(
            -- 2. quoted local parts
            regexp_replace(
            -- 1. IP addresses, in names of hosts too (a time of day has fewer colons than they)
            regexp_replace(regexp_replace(regexp_replace(p_value,
            '\m([0-9A-Fa-f]+:[0-9A-Fa-f]*):[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:/[0-9]+)*', '\1::/32', 'g'),
            '([0-9]{1,3}\.[0-9]{1,3})\.[0-9]{1,3}\.[0-9]+(?:/[0-9]+)*', '\1.0.0/16', 'g'),
            '([0-9]{1,3}-[0-9]{1,3})-[0-9]{1,3}-[0-9]+', '\1-0-0', 'g'),
            '"(?:[^"\\]|\\.)*"@', '~@', 'g'),
            '(^|[][[:space:]<>(),;:"])[^][[:space:]<>(),;:"]*(@|%40)', '\1~\2', 'g'),
            '<[^<>@]+>', '<~>', 'g'), '"[^"@[:space:]]+"', '"~"', 'g'),
            '(^|[][[:space:]"''(=<:,;])(/[^][/[:space:]"''(),;:<>]+)/[^][/[:space:]"''(),;:<>]+/[^][[:space:]:"''(),;<>]*(?::+[^][[:space:]:"''(),;<>]+)*', '\1\2/~', 'g'),
            '(^|[][[:space:]"''(=<:,;])(/(?:home|users|mail|maildirs?|mailboxes|vmail|export))/[^][[:space:]:"''(),;<>]+(?::+[^][[:space:]:"''(),;<>]+)*', '\1\2/~', 'gi')
    END
$$;
COMMENT ON FUNCTION pseudonym_text(text, bytea) IS
    'A text with local parts, words in quotes or angle brackets, and paths replaced by ~, IP addresses cut to their net. Names in free words stay.';

CREATE FUNCTION is_customers(p_day date, p_address text, p_other text, p_customers jsonb) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(p_day < (p_customers ->> domain_of(p_address))::date, false)
           OR coalesce(p_day < (p_customers ->> domain_of(p_other))::date, false)
$$;
COMMENT ON FUNCTION is_customers(date, text, text, jsonb) IS
    'One of two addresses is of a domain in p_customers, and the day is before the first that is kept for that domain.';

-- Those of which retention does not touch the names yet.
CREATE VIEW unfinished_mail AS
SELECT day, id FROM open_mail
UNION
SELECT day, id FROM retained_row;
COMMENT ON VIEW unfinished_mail IS
    'Mails of which lines are expected, and rows that are retained: names in them stay until that is over, whatever their age.';

CREATE TABLE looked_through (
    partition text NOT NULL,
    step      text NOT NULL,
    asked     text NOT NULL,
    changes   bigint NOT NULL,
    PRIMARY KEY (partition, step)
);

COMMENT ON TABLE looked_through IS 'Partitions in which a clean-up left nothing to do: they are looked through again when rows of them have changed since, or mails in them have ended.';
COMMENT ON COLUMN looked_through.partition IS
    'Partition.';
COMMENT ON COLUMN looked_through.step IS
    'pseudonymise or delete (of single domains).';
COMMENT ON COLUMN looked_through.asked IS
    'What was looked for: days, domains, and how many mails had not ended.';
COMMENT ON COLUMN looked_through.changes IS
    'How many rows of the partition had been inserted, changed and deleted by then, as the server counts them; -1: not known yet.';

-- The fence keeps pg_get_expr from those of other tables; it gives NULL for one that is dropped meanwhile.
CREATE VIEW stored_partition AS
SELECT table_name, partition, oid, day_from, day_to
FROM (
    SELECT parent.relname AS table_name, child.relname AS partition, child.oid,
           (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'FROM \(''([^'']+)''\)'))[1]::date AS day_from,
           (regexp_match(pg_get_expr(child.relpartbound, child.oid), 'TO \(''([^'']+)''\)'))[1]::date AS day_to
    FROM pg_inherits i
    JOIN pg_class parent ON parent.oid = i.inhparent
    JOIN pg_class child ON child.oid = i.inhrelid
    WHERE parent.oid IN ('delivery_from'::regclass, 'delivery_to'::regclass,
                         'delivery_attempt'::regclass, 'noqueue'::regclass)
      AND NOT i.inhdetachpending
    OFFSET 0
) present
WHERE day_from IS NOT NULL AND day_to IS NOT NULL;
COMMENT ON VIEW stored_partition IS
    'The partitions of the tables of mail, with the days they hold: from, and up to but not including. Those on their way out are left out.';

CREATE VIEW partition_changes AS
SELECT CASE table_name WHEN 'noqueue' THEN 'noqueue' ELSE 'delivery' END AS table_name, day_from, day_to,
       sum(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid)
           + pg_stat_get_tuples_deleted(oid))::bigint AS changes
FROM stored_partition
WHERE table_name <> 'delivery_attempt'
GROUP BY 1, 2, 3;
COMMENT ON VIEW partition_changes IS
    'How many rows of the days of a partition were inserted, changed and deleted so far, as the server counts them: of mails and their recipients (delivery), and of noqueue.';

-- Writing a partition anew: a copy of its shape beside it, then, filled, in its place. The days are
-- said to the copy so that it need not be read when it is attached.
CREATE FUNCTION create_copy(p_table text, p_partition text, p_from date, p_to date) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    copy text := p_partition || '_new';
    owner text := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = p_partition::regclass);
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING INDEXES,'
                   ' CONSTRAINT days CHECK (day >= %L AND day < %L)) WITH (autovacuum_enabled = false)',
                   copy, p_table, p_from, p_to);
    IF owner <> current_user THEN
        EXECUTE format('ALTER TABLE %I OWNER TO %I', copy, owner);
    END IF;
    RETURN copy;
END
$$;
COMMENT ON FUNCTION create_copy(text, text, date, date) IS
    'Make an empty table like a partition, with its indexes, of its name and _new.';

CREATE FUNCTION swap_partition(p_table text, p_partition text, p_from date, p_to date, p_rows bigint, p_xmin bigint)
RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    copy text := p_partition || '_new';
    rows bigint;
    newer bigint;
BEGIN
    EXECUTE format('LOCK TABLE ONLY %I, %I IN ACCESS EXCLUSIVE MODE', p_table, p_partition);
    EXECUTE format('SELECT count(*), count(*) FILTER (WHERE ((xmin::text::bigint - $1) & 4294967295)'
                   ' <= ((pg_snapshot_xmax(pg_current_snapshot())::text::bigint - $1) & 4294967295)) FROM %I',
                   p_partition) INTO rows, newer USING p_xmin;
    IF rows <> p_rows OR newer > 0 THEN
        RETURN false;
    END IF;
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', p_table, p_partition);
    EXECUTE format('DROP TABLE %I', p_partition);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', copy, p_partition);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', p_table, p_partition, p_from, p_to);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT days, RESET (autovacuum_enabled)', p_partition);
    RETURN true;
END
$$;
COMMENT ON FUNCTION swap_partition(text, text, date, date, bigint, bigint) IS
    'Put a filled copy in the place of its partition; false, and nothing is done, where the partition does not hold exactly the p_rows rows any more that were there when p_xmin was the oldest transaction running.';

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
    'How many rows the day''s partition had seen inserted, changed and deleted by then, as the server counts them; -1: since then retention has changed the rows, which is no reason to count again.';

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
    WHERE t.status = 'sent' AND t.daemon IN ('smtp', 'lmtp', 'pipe') AND t.next_queue_id IS NOT NULL
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
WHERE f.next_queue_id IS NOT NULL AND f.day BETWEEN p_first AND p_last AND f.t_f >= p_after
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

-- Who looked. The functions of this section work with the rights of who made them, on a path of their
-- own: whoever may execute them can do that and nothing else with the tables behind them. Their bodies
-- are bound when they are made, so that nothing put in front of a table later is taken for it; a policy
-- that somebody gives a table of theirs is refused, not obeyed.
CREATE TABLE access_log (
    t         timestamptz NOT NULL,
    who       text NOT NULL,
    os_user   text,
    command   text NOT NULL,
    keys_hash text[] NOT NULL,
    t_from    timestamptz,
    t_to      timestamptz,
    rows      bigint NOT NULL,
    ticket    text
);

COMMENT ON TABLE access_log IS 'Who looked at whose mail: one row per answer of a command that names people, written before the answer is shown. Only function note_access writes here, only role auditor reads.';
COMMENT ON COLUMN access_log.t IS
    'When.';
COMMENT ON COLUMN access_log.who IS
    'Role that was logged in to the database. Personal data.';
COMMENT ON COLUMN access_log.os_user IS
    'User who ran the command, as the command said. Personal data.';
COMMENT ON COLUMN access_log.command IS
    'trace, report, export, forget...';
COMMENT ON COLUMN access_log.keys_hash IS
    'Keyed hashes of the addresses, names and ids that were asked for; access_hash() gives that of one.';
COMMENT ON COLUMN access_log.t_from IS
    'Beginning of the period that was asked for; NULL: all that is stored.';
COMMENT ON COLUMN access_log.t_to IS
    'End of the period that was asked for; NULL: none.';
COMMENT ON COLUMN access_log.rows IS
    'Number of rows that the answer shows.';
COMMENT ON COLUMN access_log.ticket IS
    'Why, in the words of who looked (--ticket). Personal data.';

CREATE FUNCTION note_access(p_command text, p_keys text[], p_rows bigint, p_ticket text, p_os_user text,
                            p_from timestamptz, p_to timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
BEGIN ATOMIC
    INSERT INTO hash_key (purpose, month, key)
    SELECT 'access', '0001-01-01'::date, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    WHERE NOT EXISTS (SELECT FROM hash_key k WHERE k.purpose = 'access' AND k.month = '0001-01-01'::date)
    ON CONFLICT DO NOTHING;
    INSERT INTO access_log (t, who, os_user, command, keys_hash, t_from, t_to, rows, ticket)
    SELECT clock_timestamp(), session_user::text, p_os_user, p_command,
           ARRAY(SELECT keyed_hash(lower(one), hash_masks(k.key)) FROM unnest(p_keys) one),
           p_from, p_to, p_rows, p_ticket
    FROM hash_key k WHERE k.purpose = 'access' AND k.month = '0001-01-01'::date;
END;
COMMENT ON FUNCTION note_access(text, text[], bigint, text, text, timestamptz, timestamptz) IS
    'Write a row of access_log about who is logged in: command, keys asked for (stored as keyed hashes), rows shown, ticket, user of the machine, period.';

CREATE FUNCTION access_hash(p_key text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
BEGIN ATOMIC
    SELECT keyed_hash(lower(p_key), hash_masks(k.key))
    FROM hash_key k WHERE k.purpose = 'access' AND k.month = '0001-01-01'::date;
END;
COMMENT ON FUNCTION access_hash(text) IS
    'The hash of an address, a name or an id in access_log.keys_hash: who looked for it.';

-- The last 30 days stay whatever is asked: a service that was broken into cannot wipe its traces.
CREATE FUNCTION forget_accesses(p_before timestamptz) RETURNS TABLE (rows bigint, oldest_left date)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
BEGIN ATOMIC
    WITH gone AS (
        DELETE FROM access_log a WHERE a.t < least(p_before, now() - interval '30 days') RETURNING a.t
    )
    SELECT (SELECT count(*) FROM gone), (min(a.t) AT TIME ZONE 'UTC')::date
    FROM access_log a WHERE a.t >= least(p_before, now() - interval '30 days');
END;
COMMENT ON FUNCTION forget_accesses(timestamptz) IS
    'Delete the rows of access_log from before a time, but none of the last 30 days; how many, and the day of the oldest that is left.';

REVOKE EXECUTE ON FUNCTION note_access(text, text[], bigint, text, text, timestamptz, timestamptz),
    access_hash(text), forget_accesses(timestamptz) FROM PUBLIC;

CREATE FUNCTION login_hash(p_name text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
BEGIN ATOMIC
    SELECT '~' || keyed_hash(lower(p_name), hash_masks(k.key))
    FROM hash_key k WHERE k.purpose = 'login' AND k.month = '0001-01-01'::date;
END;
COMMENT ON FUNCTION login_hash(text) IS
    'What stands in login.sasl_username for a name that no account is known to have; NULL where there is none such.';

REVOKE EXECUTE ON FUNCTION login_hash(text) FROM PUBLIC;

-- A user's own mail: what a web page, or the help desk of one customer, may show.
CREATE FUNCTION without_people(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(p_text,
    '<[^<>]*>?', '<...>', 'g'),
    '"([^"\\]|\\.)*("[^[:space:],;>]*)?', '...', 'g'),
    '(https?://[^[:space:]?;]*)[?;][^[:space:]]*|[^[:space:]]*%40[^[:space:]]*', '\1...', 'g'),
    '[^[:space:]<>(),;:=]*@[^[:space:]<>(),;:]*', '...', 'g'),
    '((queued|forwarded) as|owned by user) [^[:space:]]+', '\1 ...', 'g'),
    '(^|[[:space:]=(:])/[^/[:space:]][^[:space:]]*', '\1...', 'g'),
    '\[[^][[:space:]]*\]?|[0-9]{1,3}([.][0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*', '...', 'g')
$$;
COMMENT ON FUNCTION without_people(text) IS
    'An answer without mail addresses, quotations, paths, IP addresses, logins and queue ids: ... stands for each.';

-- Mails on their ways, recipient by recipient: a root is where the address is met first, legs are the
-- queue files behind it, and the last of them tells the fate. Of mails that came from elsewhere with
-- the address as sender (forged, or forwarded by others) the recipient is not shown.
CREATE FUNCTION mail_of(p_address text, p_since timestamptz DEFAULT '-infinity',
                        p_until timestamptz DEFAULT 'infinity', p_most integer DEFAULT 200)
RETURNS TABLE (t timestamptz, direction text, sender text, recipient text, size bigint, fate text,
               status text, dsn text, reason text, attempts integer, t_last timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET max_parallel_workers_per_gather = 0
BEGIN ATOMIC
WITH RECURSIVE asked AS MATERIALIZED (
    SELECT lower(p_address) AS address, (p_since AT TIME ZONE 'UTC')::date AS first,
           (p_until AT TIME ZONE 'UTC')::date + 1 AS last
    WHERE p_address ~ '^.+@.+$'
), root AS MATERIALIZED (
    (SELECT 'sent' AS direction, f.day, f.id AS from_id, NULL::bigint AS to_id, f.t_i
     FROM asked a JOIN delivery_from f ON lower(f.sender) = a.address AND f.day BETWEEN a.first AND a.last
     WHERE f.t_i >= p_since AND f.t_i < p_until AND f.origin <> 'probe'
     ORDER BY f.t_i DESC LIMIT p_most)
    UNION ALL
    (SELECT 'received', r.day, r.from_id, r.id, r.t_i
     FROM (
         SELECT t.day, t.from_id, t.id, t.t_i
         FROM asked a JOIN delivery_to t ON lower(t.recipient) = a.address AND t.day BETWEEN a.first - 15 AND a.last
         UNION
         SELECT t.day, t.from_id, t.id, t.t_i
         FROM asked a JOIN delivery_to t ON lower(t.orig_to) = a.address AND t.orig_to IS NOT NULL
                                        AND t.day BETWEEN a.first - 15 AND a.last
     ) r
     WHERE r.t_i >= p_since AND r.t_i < p_until
     ORDER BY r.t_i DESC LIMIT p_most)
), leg AS (
    SELECT r.direction, r.day AS root_day, r.from_id AS root_id, r.day, r.from_id, t.id AS to_id,
           CASE r.direction WHEN 'sent' THEN coalesce(t.orig_to, t.recipient) ELSE a.address END AS given,
           t.recipient, t.status, 0 AS depth, NULL::bigint AS before_id, NULL::bigint AS before_to
    FROM asked a CROSS JOIN root r
    LEFT JOIN delivery_to t ON t.day = r.day AND t.from_id = r.from_id AND (r.to_id IS NULL OR t.id = r.to_id)
    UNION ALL
    SELECT l.direction, l.root_day, l.root_id, j.next_day, j.next_id, n.id,
           coalesce(l.given, n.orig_to, n.recipient), n.recipient, n.status, l.depth + 1, l.from_id, l.to_id
    FROM leg l
    CROSS JOIN LATERAL (
        SELECT s.* FROM journey s
        WHERE s.day = l.day AND s.from_id = l.from_id AND s.how <> 'notice'
          AND (s.to_id = l.to_id OR (s.to_id IS NULL AND l.status IS DISTINCT FROM 'sent'))
        OFFSET 0
    ) j
    LEFT JOIN delivery_to n ON n.day = j.next_day AND n.from_id = j.next_id
     AND (j.how = 'forward' OR l.recipient IS NULL OR lower(l.recipient) IN (lower(n.recipient), lower(n.orig_to)))
    WHERE l.depth < 12
), ended AS (
    SELECT l.*
    FROM leg l
    WHERE (l.direction, l.root_id, l.from_id, coalesce(l.to_id, 0)) NOT IN (
        SELECT s.direction, s.root_id, s.before_id, coalesce(s.before_to, 0) FROM leg s WHERE s.depth > 0)
      AND (l.direction, l.root_id) NOT IN (SELECT s.direction, s.from_id FROM leg s WHERE s.depth > 0)
), told AS (
    SELECT e.direction, e.root_id, b.t_i AS t, b.sender, coalesce(b.size, f.size) AS size,
           CASE WHEN e.direction = 'received' OR b.is_submission OR b.origin <> 'smtp'
                     OR b.client_address <<= ANY ('{127.0.0.0/8,::1}'::inet[]) THEN e.given END AS recipient,
           e.given, t.status, coalesce(t.dsn, f.dsn) AS dsn, coalesce(t.reason, f.reason) AS reason,
           t.attempts, coalesce(t.t_status, f.t_f) AS t_last,
           fate_of(f, t, NULL) AS fate  -- nothing comes behind the last leg
    FROM ended e
    JOIN delivery_from b ON b.day = e.root_day AND b.id = e.root_id
    JOIN delivery_from f ON f.day = e.day AND f.id = e.from_id
    LEFT JOIN delivery_to t ON t.day = e.day AND t.id = e.to_id
    WHERE b.origin <> 'probe'
), worst AS (  -- an address that stands for several people has one fate: the worst of theirs
    SELECT DISTINCT ON (w.direction, w.root_id, lower(w.given)) w.*
    FROM told w
    ORDER BY w.direction, w.root_id, lower(w.given),
             array_position('{delivered,accepted elsewhere,filtered on,handed on,waiting,held,returned,expired}'::text[], w.fate) DESC,
             w.t_last DESC
), refused AS (
    (SELECT n.t, 'received' AS direction, n.sender, a.address AS recipient, n.action, n.dsn, n.reason
     FROM asked a JOIN noqueue n ON lower(n.recipient) = a.address AND n.day BETWEEN a.first AND a.last
     WHERE n.refused AND n.t >= p_since AND n.t < p_until
       AND (n.from_id IS NULL OR NOT EXISTS (
           SELECT FROM delivery_to t
           WHERE t.day = n.day AND t.from_id = n.from_id AND a.address IN (lower(t.recipient), lower(t.orig_to))))
     ORDER BY n.t DESC LIMIT p_most)
    UNION ALL
    (SELECT n.t, 'sent', n.sender, n.recipient, n.action, n.dsn, n.reason
     FROM asked a JOIN noqueue n ON lower(n.sender) = a.address AND n.day BETWEEN a.first AND a.last
     WHERE n.refused AND n.from_id IS NULL AND n.sasl_username IS NOT NULL AND n.t >= p_since AND n.t < p_until
     ORDER BY n.t DESC LIMIT p_most)
)
SELECT w.t, w.direction, w.sender, w.recipient, w.size, w.fate, w.status, w.dsn, without_people(w.reason),
       w.attempts, w.t_last
FROM worst w
UNION ALL
SELECT r.t, r.direction, r.sender, r.recipient, NULL, 'refused', r.action, r.dsn, without_people(r.reason),
       NULL, r.t
FROM refused r
ORDER BY 1, 2, 4;
END;
COMMENT ON FUNCTION mail_of(text, timestamptz, timestamptz, integer) IS
    'The mail of an address for its owner: what was sent from it (with the recipients as given) and what was sent to it, from p_since up to, not including, p_until, of each the latest p_most; direction is sent or received. No clients, logins, ids, other recipients; answers without addresses. Who calls it has made sure whose address it is.';

REVOKE EXECUTE ON FUNCTION mail_of(text, timestamptz, timestamptz, integer) FROM PUBLIC;
