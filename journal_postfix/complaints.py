r"""What Postfix complains about: warnings, errors, fatal errors and panics, with their elements.

None carries a delivery fact; those that do stand in `formats`. The last rows take every labelled
text, known or not, so each has at least its level and its text; a complaint without elements of
its own needs no other row. `fields` tells how a row is written.
"""

from __future__ import annotations

from journal_postfix.fields import statements

COMPLAINTS = statements(r"""
# --- smtpd/smtpd.c, smtpd_check.c, smtpd_peer.c, smtpd_proxy.c ---------------
non_smtp_command smtpd warning: non-SMTP command from {CLIENT}: {input}
illegal_address smtpd warning: Illegal address syntax from {CLIENT} in {smtp_command:word} command: {input}
hostname_mismatch SESSION warning: hostname {hostname:nonblank} does not resolve to address {client_address}[: {error}]
hostname_mismatch SESSION warning: {client_address}: address not listed for hostname {hostname:nonblank}
hostname_mismatch SESSION warning: {client_address}: hostname {hostname:nonblank} verification failed: {error}
bdat smtpd warning: {queue_id|NOQUEUE}: null BDAT request from {CLIENT}
bdat smtpd warning: {queue_id|NOQUEUE}: malformed BDAT command syntax from {CLIENT}: {input}
bdat smtpd warning: {queue_id|NOQUEUE}: too much BDAT content -- disabling further input from {CLIENT}
request_too_long smtpd warning: {CLIENT}: request longer than {limit}: {input}
tls_refused smtpd warning: Refusing STARTTLS request from {CLIENT} for service {service}
tls_refused smtpd warning: Wrapper-mode request dropped from {CLIENT} for service {service:word}. {text}
tls_sni smtpd warning: TLS SNI from {CLIENT} is invalid: {sni:any}
mx_lookup smtpd warning: Unable to look up {kind:word} host {hostname:nonblank} for {class:check_class} {value:any}: {error:colonless}
etrn smtpd warning: reject: ETRN {domain:lazy}... from {CLIENT}
etrn smtpd warning: bad ETRN {domain:lazy}... from {CLIENT}
no_free_space smtpd warning: not enough free space in mail queue: {free_bytes:integer} bytes < {factor:decimal}*message size limit
queue_minfree smtpd warning: queue_minfree({queue_minfree:integer}) should be at least {factor:decimal}*message_size_limit({message_size_limit:integer})
rbl_lookup smtpd warning: {query:path}: RBL lookup error: {error}
restriction smtpd warning: unknown smtpd restriction: "{name:quoted}"
restriction smtpd warning: restriction {_:quote}{name:word}{_:quote} after {_:quote}{earlier:word}{_:quote} is ignored
restriction smtpd warning: support for restriction "{name:quoted}" {what:removal} removed in Postfix {version:version_number}[; instead, specify "{instead:lazy}["]]
restriction smtpd fatal: in parameter {parameter:words}, specify at least one working instance of: {names:any}
sasl smtpd warning: {parameter:word} is true, but SASL support is not compiled in
proxy_filter smtpd warning: connect to proxy filter {endpoint}: {error}
proxy_filter smtpd warning: lost connection with proxy {endpoint}
proxy_filter smtpd warning: timeout talking to proxy {endpoint}
proxy_filter smtpd warning: proxy {endpoint} rejected "{smtp_command:any}": "{reply:lazy}["]
postmaster_notify smtpd warning: postmaster notify: {error}
submission_refused qmqpd warning: {queue_id|NOQUEUE}: {CLIENT}: {reason}
# --- postscreen, dnsblog, tlsproxy, verify --------------------------------------------------------
slow_cache * warning: {function:word}: {table} {what:word} average delay is {delay_ms:integer} ms
dnsblog_timeout postscreen warning: dnsblog reply timeout {timeout:integer}s for {domain}
screening_failed postscreen warning: write {SCREENED}: {error}
screening_failed postscreen warning: getpeername: {error:before_dashes} -- {text}
screening_failed postscreen warning: cannot connect to service {service:path}: {error}
dnsblog_failed dnsblog warning: dnsblog_query: lookup error for DNS query {query:path}: {error}
proxy_trouble tlsproxy warning: ciphertext read/write {error:words} for {SCREENED}
proxy_trouble tlsproxy warning: deadlock on {stream:words} for {SCREENED}
verify verify warning: bad address verify table entry: {text}
verify verify warning: bad recipient status {status} for recipient {recipient:any}
# --- cleanup, pickup, milters: cleanup/cleanup_map1n.c, milter/milter8.c, pickup/pickup.c -----------
not_accepted cleanup warning: {queue_id}: {map:word} map lookup problem for {recipient:any} -- {text:dashless}
not_accepted cleanup warning: {queue_id}: unreasonable {map:word} map {what:map_trouble} for {recipient:any} -- {text:dashless}
queue_file cleanup warning: {queue_id}: write queue file: {error}
malformed_header cleanup warning: ignoring malformed header: '{content:lazy}[']
read_timeout cleanup warning: {queue_id}: read timeout on {stream:any}
spurious_log cleanup warning: {service:word}: removed spurious {queue_id:queue_id} log
unknown_command cleanup,SMTP warning: unknown command in {map:word} map: {text}
milter * warning: connect to Milter service {endpoint}: {error}
milter * warning: milter {endpoint}: can't read {milter_event:word} reply packet header: {error}
milter * warning: milter {endpoint}: malformed reply: {text}
milter * warning: milter {endpoint}: unreasonable packet length: {bytes} > {limit}
milter * warning: milter {endpoint}: protocol version {version} conflict with MTA protocol version {mta_version:nonblank}
milter * warning: milter {endpoint}: {text}
create_file * warning: mail_queue_enter: create file {path}: {error}
clock * warning: file system clock is {seconds} seconds {direction:clock} local clock
maildrop pickup warning: {queue_id}: message {path:nonblank} has been queued for {days:integer} days
maildrop pickup warning: {queue_id}: message {path:nonblank} dated {seconds} seconds into the future
maildrop pickup warning: {path}: error writing {queue_id:queue_id}: {reason}
maildrop pickup warning: {queue_id}: uid={uid}: {text}
maildrop pickup,postdrop warning: uid={uid}: unexpected or malformed record type {record_type:integer}
maildrop pickup,postdrop warning: uid={uid}: ignoring attribute record: {name:word}={value:any}
maildrop pickup,postdrop warning: uid={uid}: {text}
maildrop postdrop fatal: uid={uid}: {text}
# --- qmgr/qmgr_active.c, qmgr_transport.c, qmgr_message.c -------------------------------------------
corrupt QMGR warning: saving corrupt file "{queue_id:queue_id}" from queue "{old_queue:quoted}" to queue "{queue:quoted}"
transport QMGR warning: transport {transport:nonblank} failure -- {text}
transport QMGR warning: connect to transport {transport:path}: {error}
transport QMGR warning: {transport:nonblank} socket: {reason}
transport QMGR fatal: timeout connecting to transport: {transport:nonblank}
transport QMGR fatal: {queue_id}: timeout receiving delivery status from transport: {transport:nonblank}
clogged QMGR warning: mail for {nexthop:nonblank} is using up {count} of {total} active queue entries
clogged QMGR warning: you may need to increase the main.cf {parameter:word} from {value:integer}
queue_file QMGR warning: qmgr_move: ignored: queue {queue} id {name:any}
queue_file QMGR warning: open {queue} {queue_id:queue_id}: {error}
rcpt_mismatch QMGR warning: {queue_id}: rcpt count mismatch ({count})
# --- smtp, lmtp -----------------------------------------------------------------------------------------
dns_data SMTP warning: {kind:word} domain name in resource data of {type:word} record for {domain:path}: {text}
dns_data SMTP,smtpd warning: DNS record count limit ({limit}) exceeded -- dropping excess record(s) after qname={domain} qtype={type:word}
dns_data SMTP warning: no MX host for {domain} has a valid address record
dns_data SMTP warning: MX name '{relay_name:unquoted}' does not match STS MX pattern for '{domain:unquoted}'
dns_data SMTP warning: DANE TLSA lookup problem: {error}
dns_data SMTP warning: {domain:path}: dane configured with dnssec lookups disabled
smtp_server SMTP warning: host {relay:peer} {what:greeting} with my own hostname {hostname:nonblank}
smtp_server SMTP warning: host {relay:peer} said: {reply_code}[{_:separator}{dsn}] {reason:lazy}[ (in reply to {smtp_command:parenthesised})]
smtp_server SMTP warning: {queue_id}: non-{protocol_name:word} response from {relay:peer}: {text}
smtp_server SMTP warning: {relay:peer}: response longer than {limit}: {text}
smtp_server SMTP warning: {relay:peer} offered {what:auth_offer}[: {text}]
smtp_server SMTP warning: bad EHLO SIZE limit "{value:quoted}" from {relay:peer}
smtp_server SMTP warning: {relay:peer}: all TLSA records unusable, {text}
tls_policy SMTP warning: {table:before_comma}, next-hop destination "{domain:quoted}": invalid security level "{value:quoted}"
tls_policy SMTP warning: TLS policy lookup for {domain:slashless}/{relay_name:path}: {reason}
bind SMTP warning: smtp_connect_addr: bind {address:path}: {error}
service_failed SMTP,DELIVERS warning: {queue_id}: {service:word} service failure
# --- local, virtual, pipe, bounce ---------------------------------------------------------------------
alias local warning: mailing list "{name:quoted}" needs an "{owner:quoted}" alias
alias local warning: required alias not found: {name:any}
alias local warning: alias database loop for {name:any}
alias local warning: :include: file {path:nonblank} is {text}
mailbox local,virtual warning: maildir access problem for UID/GID={uid}/{gid:integer}: {error}
mailbox local,virtual warning: unable to create lock file {path}: {error}
mailbox virtual warning: recipient {recipient:any}: not found in {map:word}
mailbox virtual warning: recipient {recipient:any}: bad {what:word} {value:nonblank} in {map:word}
pipe_flag pipe warning: pipe flag {flag:nonblank} requires {parameter:word} = {value:integer}
notification_failed bounce warning: {queue_id}: sender notification failed to {recipient:any}: {reason:words}
notification_failed bounce warning: {queue_id}: sender notification failed to {recipient:any}
notification_failed bounce warning: {queue_id}: postmaster notification failed[: {reason}]
notification_failed bounce warning: {queue_id}: postmaster notice failed while bouncing to {recipient:any}
malformed_message_id bounce warning: {queue_id}: malformed Message-ID attribute: {error}
template bounce warning: {path}: {reason:template_trouble} template
template bounce warning: {path:nonblank}: zero result in {template:word} template conversion of parameter "{parameter:quoted}"
template bounce warning: please reduce time unit "{unit:quoted}" of "{parameter:quoted}" in {template:word} template
# --- proxymap, trivial-rewrite, the other servers --------------------------------------------------------
unapproved proxymap warning: request for unapproved table: "{table:quoted}"
unapproved proxymap warning: to approve this table for {access:word} access, list proxy:{table} in main.cf:{parameter:word}
rewrite trivial-rewrite warning: do not list domain {domain} in BOTH {parameter:word} and {other_parameter:word}
rewrite trivial-rewrite warning: {map:word} result must contain RFC 3463 status and text: '{value:lazy}[']
rewrite trivial-rewrite warning: {map:word} lookup of {key:nonblank} returns an empty string result
rewrite trivial-rewrite warning: resolve_addr: <{recipient:any}>: giving up after {count} iterations
rewrite trivial-rewrite warning: {map:word} lookup failure
showq showq warning: {queue_id}: duplicate sender address: {sender:any} -- {text:dashless}
showq showq warning: {queue_id}: malformed size record: {value:lazy} -- using file size instead
showq showq warning: readdir loop on queue {queue} id {queue_id:queue_id}
flush flush warning: write fast flush logfile {path}: {error}
flush flush warning: bad queue id "{value:any}" in fast flush logfile {path:nonblank}
flush flush warning: flush_one_file: update {path:nonblank} time stamps: {error}
tlsmgr tlsmgr warning: cannot read from entropy file {path}: {error}
tlsmgr tlsmgr warning: end-of-input while reading request from {endpoint:colonless}: {error}
spawn spawn warning: command {path:nonblank} exit status {exit_status}
spawn spawn warning: command {path:nonblank} killed by signal {signal}
spawn spawn fatal: unknown user name: {user:any}
reindex nbdb_reindexd warning: request to index {table} failed: {reason}
postlogd postlogd warning: failed to receive message with recv: {error}
# --- master/master_spawn.c, master_avail.c, master_ent.c ----------------------------------------------
service_exit master warning: process {path:nonblank} pid {child_pid} exit status {exit_status}
service_exit master warning: process {path:nonblank} pid {child_pid} killed by signal {signal}
service_exit master warning: {path}: bad command startup -- throttling
service_exit master warning: master_spawn: fork: {error:lazy} -- throttling
process_limit master warning: service "{service:quoted}" ({endpoint:token}) has reached its process limit "{limit}": {text}
master_cf master warning: duplicate master.cf entry for service "{service:quoted}" {text}
master_cf master warning: ignoring {parameter:word} parameter value change
master_cf master warning: all network protocols are disabled ({parameter:word} = {value:word})
master_cf master fatal: open lock file {path}: {error}
master_cf master fatal: bind {address:nonblank} port {port:integer}: {error}
master_cf * fatal: {path}: line {line}: {text}
# --- commands: postfix-script, postqueue, postsuper, sendmail, postdrop ----------------------------------
script postfix-script warning: not owned by root: {path:any}
script postfix-script warning: group or other writable: {path:any}
script postfix-script warning: damaged message: {queue}/{queue_id:queue_id}
script postfix-script warning: {path:nonblank} and {other_path:nonblank} differ
down postqueue fatal: Queue report unavailable - mail system is down[ ({error:parenthesised})]
down postqueue warning: Mail system is down -- accessing queue directly[ ({error:parenthesised})]
not_allowed * fatal: User {user:token}({uid}) is not allowed to {text}
postsuper postsuper warning: invalid mail queue id: {value:any}
postsuper postsuper warning: bogus file name: {path:any}
sendmail sendmail fatal: {sender:lazy}({uid}): unable to execute {command:colonless}: {error}
sendmail sendmail fatal: {sender:lazy}({uid}): {text}
sendmail sendmail warning: command "{command:quoted}" exited with status {exit_status}
sendmail sendmail warning: -f option specified malformed sender: {sender:any}
postlog postlog fatal: bad severity: "{value:lazy}["]
unable_to_look_up * warning: unable to look up {path}: {error}
# --- libraries: tls, xsasl, util/dict*.c, global ------------------------------------------------------------
haproxy * warning: haproxy read: {error}
certificate TLS warning: cannot get {kind:word} certificate from file "{path:quoted}": {text}
sasl * warning: SASL: Connect to [Dovecot auth socket ']{path:unquoted}['] failed: {error}
sasl * warning: SASL authentication problem: unable to open Berkeley db {path}: {error}
sasl * warning: SASL authentication {what:sasl_trouble}: {reason}
tls_library TLS warning: TLS library problem: {error}
policy_server * warning: premature end-of-input on {endpoint} while reading {text}
policy_server * warning: problem talking to server {endpoint}: {error}
service_trouble * warning: problem talking to service {service:path}: {error}
service_trouble * warning: connect #{attempt:integer} to subsystem {service:path}: {error}
service_trouble * warning: connect to {service:nonblank} service: {error}
service_trouble * warning: service not found: {service:any}
bad_request * warning: unrecognized request: "{request:lazy}", ignored
bad_request * warning: {function:c_name}: bad or missing request parameter
bad_request * warning: {function:c_name}: ignoring dsn code "{dsn:quoted}"
invalid_name * warning: {function:valid}: {reason:colonless}: {name:any}
dnssec * warning: reason: dnssec_probe '{query:unquoted}' {text}
configuration * warning: {parameter:word} configuration problem
memory * fatal: {function:c_name}: insufficient memory for {bytes} bytes: {error}
table * warning: {table} is unavailable. {reason}
table * warning: {table} lookup error for "{key:lazy}["]
table * warning: {function:c_name}: Unable to bind to server {url:nonblank} with dn {bind_dn:any}: {code:integer} ({error:parenthesised})
table * warning: database {path:nonblank} is older than source file {source:nonblank}
table * warning: {type:word} map {path:before_comma}, line {line}: {text}
table * warning: {path:before_comma}, line {line}: overriding earlier entry: {name:word}={value:any}
table * warning: read TCP map reply from {endpoint}: {error}
table * warning: connect to {type:word} server {hostname:path}: {error}
table * error: open database {path}: {error}
table * error: unsupported dictionary type: {value:any}
table * fatal: unsupported dictionary type: {value:any}
table * warning: unsupported dictionary type: {type:word}. {text}
table * fatal: no 'map create' support for this type: {type:any}
library_version * warning: Postfix library version mis-match: wanted {version_wanted:token}, found {version:token}
# util/msg*.c, global/*.c: the function that complains, in front of its text
warning * warning: {function:function}: {text}
error * error: {function:function}: {text}
fatal * fatal: {function:function}: {text}
panic * panic: {function:c_name}: {text}
# util/msg_output.c: every labelled text has at least a level and a text
warning * warning: {queue_id|NOQUEUE}: {text}
warning * warning: {text}
error * error: {queue_id|NOQUEUE}: {text}
error * error: {text}
fatal * fatal: {queue_id|NOQUEUE}: {text}
fatal * fatal: {text}
panic * panic: {text}
""")
