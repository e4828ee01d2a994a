-- Logins from before the first days that are kept of refusals (failed ones) and of mails, a portion.
DELETE FROM login WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM login
    WHERE (failed > 0 AND hour < %(noqueue)s::timestamp AT TIME ZONE 'UTC')
       OR (succeeded > 0 AND hour < %(delivery)s::timestamp AT TIME ZONE 'UTC')
    LIMIT %(portion)s))
