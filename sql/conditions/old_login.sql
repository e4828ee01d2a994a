-- Logins from before the first days that are kept, of refusals (failed ones) and of mails; but for those of
-- accounts that are retained.
((r.failed > 0 AND r.hour < %(noqueue)s::timestamp AT TIME ZONE 'UTC')
 OR (r.succeeded > 0 AND r.hour < %(delivery)s::timestamp AT TIME ZONE 'UTC'))
AND NOT EXISTS (SELECT FROM retained k
                WHERE k.kind = 'login' AND k.value = lower(r.sasl_username) AND k.noted_at >= r.hour)
