r"""What Postfix says about mails and logins: the table of statements that carry such a fact.

A row is a name, who says it, and the text as the C source prints it; `fields` tells how it is
written. Rows are tried in this order, so a strict one stands before its loose one. What carries
no such fact stands in `remarks` and `complaints`; STATEMENTS is all of it.

The tables know the text of one line. They do not know what a line means for a mail.

Bugs: before Postfix 3.5 (and with ``info_log_address_format = internal``) an address may hold
``>, relay=`` unquoted; such a line is ambiguous, and the shortest address wins. Where a line is cut
(by syslog, or by Postfix at 2,000 bytes), a login, a message-id or a client at its end is a piece
of the true one, and nothing tells so.
"""

from __future__ import annotations

from journal_postfix.complaints import COMPLAINTS
from journal_postfix.fields import statements
from journal_postfix.remarks import REMARKS

FACTS = statements(r"""
# --- a mail's way ---------------------------------------------------------------------------
# global/log_adhoc.c, log_adhoc(): every delivery record of every agent
delivery DELIVERS {queue_id}: to=<{recipient}>[, orig_to=<{orig_to}>], relay={relay}{TIMES}, status={status} ({reason}
delivery DELIVERS {queue_id}: to=<{recipient:internal_to}>[, orig_to=<{orig_to:internal_orig_to}>], relay={relay}{TIMES}, status={status} ({reason}{!an address is not quoted}
delivery DELIVERS {queue_id}: to=<{recipient}>[, orig_to=<{orig_to}>], relay={relay}{TIMES}, status={status:ended_status}[ ]{!the record has no reason}
# global/opened.c, vopened()
queue_active QMGR {queue_id}: from=<{sender:whole_sender}>, size={size}, nrcpt={nrcpt} (queue {queue})
# qmgr/qmgr_active.c
removed QMGR,postsuper {queue_id}: removed
expired QMGR {queue_id}: from=<{sender:whole_sender}>, status={status}, returned to sender
# cleanup/cleanup_api.c, cleanup_flush()
removed cleanup {queue_id}: removed ({removed_by})
# smtpd/smtpd.c, smtpd_sasl_glue.c; qmqpd/qmqpd.c
client SESSION {queue_id|NOQUEUE}: client={CLIENT}{LOGIN}[, orig_queue_id={orig_queue_id:relay}][, orig_client={orig_client}]
# cleanup/cleanup_message.c
message_id cleanup {queue_id}: message-id={message_id}
resent_message_id cleanup {queue_id}: resent-message-id={resent_message_id}
# pickup/pickup.c
pickup pickup {queue_id}: uid={uid} from=<{sender:whole_sender}>[ orig_id={orig_queue_id:queue_id}]
# bounce/bounce_notify_util.c, bounce_warn_service.c, bounce_trace_service.c
notification bounce {queue_id}: {notification} notification: {notification_queue_id:queue_id}
# postsuper/postsuper.c
held postsuper {queue_id}: placed on hold
released postsuper {queue_id}: released from hold
requeued postsuper {queue_id}: requeued
force_expired postsuper {queue_id}: expired
postsuper postsuper {what:text_before_colon}: {messages} message[s]
# --- verdicts -------------------------------------------------------------------------------
# smtpd/smtpd_check.c, log_whatsup()
verdict smtpd {queue_id|NOQUEUE}: {verdict}: {protocol_state} from {CLIENT}:{SMTP_REPLY} {reason:told};{ACCESS_TAIL}
# smtpd/smtpd.c, helo_cmd(): checked at once (smtpd_delay_reject = no), the name is logged as it came
verdict smtpd {queue_id|NOQUEUE}: {verdict}: {protocol_state:helo_state} from {CLIENT}:{SMTP_REPLY} {reason}; proto={protocol_name} helo=<{helo_name:nonblank}>
# smtpd/smtpd_milter.c; cleanup/cleanup_milter.c, which leaves the SMTP code out
verdict smtpd,cleanup {queue_id|NOQUEUE}: {verdict:milter_action}: {protocol_state} from {CLIENT}:{SMTP_REPLY} {reason:told};{MILTER_TAIL}
verdict smtpd,cleanup {queue_id|NOQUEUE}: {verdict:milter_action}: {protocol_state} from {CLIENT}:{SMTP_REPLY} {reason}
verdict smtpd {queue_id|NOQUEUE}: {verdict}: {protocol_state} from {CLIENT}:{SMTP_REPLY} {reason}
# smtpd/smtpd_proxy.c
proxy_verdict smtpd {verdict:proxy_action}: {protocol_state}:{SMTP_REPLY} {reason:told};{MILTER_TAIL}
proxy_verdict smtpd {verdict:proxy_action}: {protocol_state}:{SMTP_REPLY} {reason}
# postscreen/postscreen_smtpd.c, psc_rcpt_cmd(); postscreen.c
verdict postscreen NOQUEUE: {verdict:reject}: {protocol_state} from {SCREENED}: {reply_code} {dsn} {reason:before_from}; from=<{sender}>, to=<{recipient}>, proto={protocol_name}, helo=<{helo_name:any}>
verdict postscreen NOQUEUE: {verdict:reject}: {protocol_state} from {SCREENED}: {reply_code} {dsn} {reason:before_from}; from=<{sender}>, to=<{recipient}>, proto={protocol_name}[, helo=<{_:any}]{!the line is cut}
verdict postscreen NOQUEUE: {verdict:reject}: {protocol_state} from {SCREENED}: {reason}
screening_busy postscreen reject: connect from {SCREENED}: {reason}
# cleanup/cleanup_message.c, cleanup_act(), cleanup_mime_error_callback(); cleanup_milter.c, cleanup_milter_hbc_log()
content_verdict cleanup {queue_id}: {verdict:reject}: {part:mime_error} {reason:text_before_colon}: {content:cut_content} from {origin};{CONTENT_TAIL}
content_verdict cleanup {queue_id}: {verdict:content_action}: {part} {content:cut_content} from {origin};{CONTENT_TAIL}[: [{dsn} ]{reason:content_text}]
content_verdict cleanup {queue_id}: {verdict:content_action}: {part} {content:cut_content} from {origin};{CONTENT_TAIL}[: [{dsn} ]{reason:short_text}]{!the rule's text looks like an address}
# cleanup/cleanup_message.c, cleanup_api.c; qmgr/qmgr_message.c; smtpd/smtpd.c
message_rejected cleanup,QMGR warning: {queue_id}: message rejected: {reason}
message_rejected cleanup,smtpd warning: {queue_id|NOQUEUE}: {reason:size_limit}
message_rejected smtpd warning: {queue_id|NOQUEUE}: BDAT request from {CLIENT} {reason:too_big}
# smtpd/smtpd.c, smtpd_proto(): the queue id since 3.10
session_trouble smtpd {queue_id|NOQUEUE}: {trouble} after {protocol_state}[ ({bytes} bytes)] from {CLIENT}
session_trouble smtpd {trouble} after {protocol_state}[ ({bytes} bytes)] from {CLIENT}
# qmqpd/qmqpd.c
session_trouble qmqpd {queue_id|NOQUEUE}: {CLIENT}: {trouble} while {phase:any}
# --- logins ---------------------------------------------------------------------------------
# smtpd/smtpd_sasl_glue.c, smtpd_sasl_authenticate(); the account since 3.9, 3.5.22 to 3.8.3
login_failed smtpd warning: {CLIENT}: SASL {sasl_method} authentication failed: {reason:lazy}[, sasl_username={sasl_username:any}]
login_aborted smtpd warning: {CLIENT}: SASL {sasl_method} authentication aborted
rate_limit smtpd warning: {what:words} limit exceeded: {count} from {CLIENT} for service {service}
""")

STATEMENTS = FACTS + REMARKS + COMPLAINTS
