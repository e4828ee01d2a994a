r"""What Postfix says by the way: statements of level info that carry no delivery fact.

Recognised, taken apart, counted, not stored. `fields` tells how a row is written.
"""

from __future__ import annotations

from journal_postfix.fields import statements

REMARKS = statements(r"""
# --- sessions: smtpd/smtpd.c, qmqpd/qmqpd.c -------------------------------------------------
connect SESSION connect from {CLIENT}
disconnect SESSION disconnect from {CLIENT}{commands}[ notes={notes}]
pipelining smtpd improper command pipelining after {protocol_state} from {CLIENT}[:[ {input}]]
replacing_command smtpd {CLIENT}: replacing command "{old_command:before_with}" with "{new_command:any}"
replacing_command postscreen \[{client_address}\][:]{client_port}: replacing command "{old_command:before_with}" with "{new_command:any}"
discarding_ehlo smtpd,SMTP discarding EHLO keywords: {keywords:any}
discarding_ehlo postscreen \[{client_address}\][:]{client_port}: discarding EHLO keywords: {keywords:any}
reply_filter smtpd {queue_id|NOQUEUE}: reply filter {direction:word}: {reply_code}[{_:separator}{dsn}] {reason}
mapping_dsn smtpd mapping DSN status {dsn} into {reply_class:words} status {dsn_to:dsn}
tls_abort smtpd NOQUEUE: abort: TLS from {CLIENT}: {reason}
tempfail_action smtpd {parameter:word} = {value:word}
skipping_family smtpd,SMTP skipping address family {family:integer} for host {hostname:nonblank}
# --- TLS: tls/tls_misc.c, tls_client.c, tls_server.c, tls_verify.c, tls_dane.c ----------------
tls_connection smtpd {tls_trust:certificate} TLS connection {how:word} from {CLIENT}[ to {sni:nonblank}]: {CIPHER}
tls_connection TLS {tls_trust:certificate} TLS connection {how:word} to {relay:peer}[ to {sni:nonblank}]: {CIPHER}
tls_connection tlsproxy {tls_trust:certificate} TLS connection {how:word} to \[{server_address}\]:{server_port}[ to {sni:nonblank}]: {CIPHER}
tls_connection tlsproxy {tls_trust:certificate} TLS connection {how:word} {direction:word} {SCREENED}[ to {sni:nonblank}]: {CIPHER}
tls_setup smtpd setting up TLS connection from {CLIENT}
tls_setup TLS setting up TLS connection to {relay:peer}
tls_setup tlsproxy setting up TLS connection {direction:word} {SCREENED}
tls_error smtpd SSL_accept error from {CLIENT}: {error}
tls_error TLS SSL_connect error to {relay:peer}: {error}
tls_error tlsproxy {what:ssl} error {direction:word} {SCREENED}: {error}
tls_error tlsproxy TLS handshake failed for service={service} peer={SCREENED}
tls_sni smtpd TLS SNI {sni:nonblank} from {CLIENT} not matched, using default chain
tls_verify TLS certificate verification failed for {relay:peer}: not designated for use as a {purpose:word} certificate
tls_verify smtpd [{purpose:word} ]certificate verification failed for {CLIENT}: {reason}
tls_verify TLS [{purpose:word} ]certificate verification failed for {relay:peer}: {reason}
tls_session smtpd {CLIENT}: {what:ticket} session ticket, key expiration: {expiration:integer}
tls_session smtpd {CLIENT}: {what:tls_reuse}{text}
tls_session TLS {relay:peer}: {what:tls_reuse}{text}
tls_session TLS,tlsmgr {how:word} {role:word} session id={session_id:any}
tls_peer smtpd {CLIENT}: subject_CN={subject_cn:any}, issuer[_CN]={issuer:lazy}[, [cert ]fingerprint={cert_fingerprint:hex}][, pkey{_:blank}fingerprint={pkey_fingerprint:hex}]
tls_peer TLS {relay:peer}: subject_CN={subject_cn:any}, issuer[_CN]={issuer:lazy}[, [cert ]fingerprint={cert_fingerprint:hex}][, pkey{_:blank}fingerprint={pkey_fingerprint:hex}]
tls_match TLS {relay:peer}: Matched trust anchor at depth {depth}
tls_match TLS {relay:peer}: Matched {what:words} at depth {depth}: {association:any}
tls_match TLS {relay:peer}: Matched {what:text_before_colon}: {association:any}
tls_match TLS {relay:peer}: matched peername: {peername:any}
tls_chain smtpd {CLIENT}: depth={depth} verify={verify:integer} subject={subject:any}
tls_chain TLS {relay:peer}: depth={depth} verify={verify:integer} subject={subject:any}
tls_ciphers smtpd {CLIENT}: TLS cipher list "{ciphers:lazy}["]
tls_ciphers TLS {relay:peer}: TLS cipher list "{ciphers:lazy}["]
# tls/tls_misc.c: a step towards 3.12
tls_trace smtpd TLS protocol trace for {CLIENT} saved to {path:any}
tls_trace TLS TLS protocol trace for {relay:peer} saved to {path:any}
tls_certificate TLS subject={subject:any}
tls_certificate TLS issuer={issuer:any}
tls_alert TLS SSL3 alert {direction:word}:{severity:word}:{alert:any}
tls_state TLS {what:ssl}:{text}
tls_dump TLS {offset:dump_offset} {text}
tls_dump TLS {what:dump} {address:hex} {text}
tls_disabled TLS cannot load Certification Authority data, [CAfile="{path:quoted}"][ ][CApath="{ca_path:quoted}"]: {text}
tls_engine TLS initializing the {side:word}-side TLS engine
tls_disabled TLS cannot set default OpenSSL certificate verification paths: {text}
tlsrpt SMTP TLSRPT: status={tlsrpt_status:word}, domain={domain}, receiving_mx={relay}[, failure_type={failure_type:token}][, failure_reason={failure_reason:any}]
# --- postscreen/postscreen.c, postscreen_early.c, postscreen_smtpd.c; dnsblog; tlsproxy -------
screen postscreen CONNECT from {SCREENED} to \[{server_address}\]:{server_port}
screen postscreen {screening} {SCREENED}
hangup postscreen HANGUP after {seconds} from {SCREENED} in {phase:any}
pregreet postscreen PREGREET {bytes} after {seconds} from {SCREENED}: {input}
dnsbl postscreen DNSBL rank {rank} for {SCREENED}
protocol_test postscreen {test:protocol_test} from {SCREENED}[ after {protocol_state}[: {input}]]
protocol_test postscreen {test:protocol_test} from {SCREENED} after {input}
stress postscreen {how:word} STRESS mode with {connections:integer} connections
dnsblog dnsblog addr {client_address} listed by domain {domain} as {listed:any}
proxy tlsproxy {what:proxying} {SCREENED}
proxy tlsproxy {what:proxying_to} \[{server_address}\]:{server_port}
# --- cleanup, qmgr, bounce -------------------------------------------------------------------
not_accepted cleanup {queue_id}: {map:word} map lookup problem -- {text}
milter_event cleanup,smtpd event: {event:word}; macros: {macros:any}
skipped QMGR {queue_id}: skipped, still being delivered
service_failed QMGR {queue_id}: status={status} ({reason:parenthesised})
no_notification bounce {queue_id}: not sending trace/success notification for {kind:word} message
# --- delivery agents: smtp/smtp_trouble.c, smtp_connect.c, smtp_proto.c; local ----------------
content_check SMTP {queue_id}: {verdict:content_action}: {part} {content}
try_next SMTP {queue_id}: host {relay:peer} {how:said}: {reply_code}[{_:separator}{dsn}] {reason:lazy}[ (in reply to {smtp_command:parenthesised})]
try_next SMTP {queue_id}: host {relay:peer} {how:refused}: {reply_code}[{_:separator}{dsn}] {reason}
try_next SMTP {queue_id}: host {relay:peer} {reason}
try_next SMTP {queue_id}: {how:broken} with {relay:peer} [timed out ]while {phase:any}
try_next SMTP {queue_id}: {reason:tls_refused}
try_next SMTP {queue_id}: Sender requested REQUIRETLS, but REQUIRETLS support was not offered by host {relay:peer}
try_next SMTP {queue_id}: {reason:requiretls}
connect_failed SMTP connect to {relay:peer}: {error}
workarounds SMTP {queue_id}: enabling PIX workarounds: {workarounds:words} for {relay:peer}
breaking_line SMTP {queue_id}: breaking line > {limit} bytes with {text}
passing SMTP,local {queue_id}: passing <{recipient:any}> to transport={transport:word}
smtp_server SMTP host {relay:peer} offers SMTPUTF8 support, but not 8BITMIME
smtp_server SMTP Host offered STARTTLS: \[{relay_name:host}\]
smtp_server SMTP {relay:peer}: replacing server reply "{old_reply:before_with}" with "{new_reply:any}"
smtp_hint SMTP SMTPS wrappermode (TCP port 465) requires setting {text}
smtp_addresses SMTP {how:list_end} {domain} address list
smtp_addresses SMTP pref {_:blanks}{preference:integer} host {relay_name:slashless}/{relay_address:nonblank}
smtp_addresses SMTP skipping SRV lookup for {query:path}: {reason}
smtp_addresses SMTP ignoring DNS RR: {rr:any}
# --- anvil/anvil.c, scache/scache.c ------------------------------------------------------------
# since 3.8 of a network, of IPv6 clients by default (smtpd_client_ipv6_prefix_length)
statistics anvil statistics: max {kind:word} rate {rate}/{unit:nonblank} for ({service:anvil_service}:{client_address}[/{client_prefix:integer}]) at {at:any}
statistics anvil statistics: max {kind:word} count {count} for ({service:anvil_service}:{client_address}[/{client_prefix:integer}]) at {at:any}
statistics anvil statistics: max cache size {count} at {at:any}
statistics scache statistics: start interval {at:any}
statistics scache statistics: {kind:word} lookup hits={hits:integer} miss={miss:integer} success={success:nonblank}
statistics scache statistics: max simultaneous domains={domains:integer} addresses={addresses:integer} connection={connections:integer}
# --- the system: master/master.c, postfix-script, postlog, tlsmgr, nbdb_reindexd ---------------
daemon_started master daemon started[ -- version {version}, configuration {config_dir:any}]
reload master reload[ -- version {version},] configuration {config_dir:any}
terminating master terminating on signal {signal}
master master {text:master_word}
master master ignoring status update from child pid {child_pid} generation {generation:integer}
script postfix-script,postfix the Postfix mail system is running: PID: {child_pid}
script postfix-script,postfix {text:script}
postlog postlog {text}
tlsmgr tlsmgr cannot read from entropy device {path}: {error}
tlsmgr tlsmgr lost connection to EGD server {path:nonblank} -- {text}
tlsmgr tlsmgr open {role:word} TLS cache {table}
tlsmgr tlsmgr exiting to reopen external entropy source {path:nonblank}
tlsmgr tlsmgr TLS support is not compiled in -- {text}
reindex nbdb_reindexd target file '{path:unquoted}' {text}
reindex nbdb_reindexd successfully executed '{command:unquoted}' as uid {uid}
# --- libraries ------------------------------------------------------------------------------------
cache_cleanup * cache {table} {mode:word} cleanup: retained={retained} dropped={dropped} entries[={entries:integer}]
table_changed * table {table:lazy} has changed -{text}
database_limit * database {table}: using size limit {size} {text}
database_closed * close database {path}: {error}
redirecting * redirecting {table} to {new_table:nonblank}
lookup * debug:{table} lookup: "{key:any}" = "{value:quoted}"
compatibility * using backwards-compatible default setting {setting:compat_setting} to {effect:compat_effect} recipient "{recipient:any}" from client "{CLIENT}"
compatibility * using backwards-compatible default setting {setting:nonblank} to permit request from client "{CLIENT}"
compatibility * using backwards-compatible default setting {setting:nonblank} to accept non-ASCII {kind:word} address "{sender:any}" from {CLIENT}
compatibility * using backwards-compatible default setting {setting:nonblank} for client {SCREENED}
compatibility * using backwards-compatible default setting {setting:nonblank} to {effect:words} for domain "{domain:any}"
compatibility * using backwards-compatible default setting {setting:nonblank} to update fast-flush logfile for domain "{domain:any}"
compatibility * using backwards-compatible default setting {setting:nonblank} to {effect:words} for address "{recipient:any}"
compatibility * using backwards-compatible default setting {setting:nonblank} to rewrite "{old:lazy}" to "{new:quoted}"[; {text}]
compatibility * using backwards-compatible default setting {setting:nonblank} to {effect}
compatibility * using [using ]backwards-compatible default setting {setting:any}
compatibility * {path}: line {line}: using backwards-compatible default setting {setting:any}
compatibility * Postfix is {how:compatible} backwards-compatible default settings
compatibility * See {url:nonblank} for details
compatibility * To disable backwards compatibility use "postconf compatibility_level={compatibility_level:quoted}" and {text}
# verbose mode (-v, debug_peer_list): protocol text and C functions
debug smtpd {direction:arrow} {CLIENT}: {text}
debug SMTP {direction:arrow} {relay:peer}: {text}
debug smtpd >>> {text}
debug QMGR qmgr_message_sort: {recipient:any}
# util/attr_print0.c, attr_scan0.c, fsspace.c; global/input_transp.c, mail_connect.c; dns/dns_lookup.c
debug * send attr {name:word} =[ {value:any}]
debug * input attribute name: {name:any}
debug * input attribute value: {value:any}
debug * connect to subsystem {service:path}
debug * fsspace: {path:path}: block size {size}, blocks free {free_blocks:integer}
debug * lookup {domain:nonblank} type {type:word} flags[ {flags:any}]
debug * before {function:function}: cleanup flags = {flags:any}
debug * after {function:function}: cleanup flags = {flags:any}
debug * {service:path}[ socket]: wanted attribute: {name:any}
debug * {function:function}: {text}
""")
