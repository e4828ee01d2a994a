-- Logins before the first days that are kept: failed ones with the refusals, the others with the mails.
-- A row is pseudonymised at once, so that its first column that says something tells for all; a name may
-- have been hashed when it was stored.
(coalesce(r.failed > 0 AND r.hour < %(noqueue)s::timestamp AT TIME ZONE 'UTC', false)
 OR coalesce(r.succeeded > 0 AND r.hour < %(delivery)s::timestamp AT TIME ZONE 'UTC', false))
AND CASE
    WHEN r.client_address <> pseudonym_client_address(r.client_address, NULL) THEN true
    WHEN NOT (r.client_address <<= '127.0.0.0/8' OR r.client_address <<= '::1/128') THEN false
    WHEN r.sasl_username !~ '^~[0-9a-f]{16}$' THEN r.sasl_username <> pseudonym_login(r.sasl_username, NULL)
    ELSE (r.client_name, r.reason) IS DISTINCT FROM (pseudonym_host(r.client_name, NULL), pseudonym_text(r.reason, NULL))
END
