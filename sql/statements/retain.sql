-- Note a case, and all rows that belong to it: mails of which one value fits, with their recipients and
-- verdicts, and verdicts of which one fits.
WITH mails AS (
    SELECT f.day, f.id FROM delivery_from f
    WHERE (%(kind)s = 'queue_id' AND f.queue_id = %(value)s)
       OR (%(kind)s = 'login' AND lower(f.sasl_username) = %(value)s)
       OR (%(kind)s = 'sender' AND (lower(f.sender) = %(value)s OR lower(f.sender_given) = %(value)s))
       OR (%(kind)s = 'client' AND (f.client_address <<= %(network)s::inet OR lower(f.client_name) = %(value)s))
    UNION
    SELECT t.day, t.from_id FROM delivery_to t
    WHERE %(kind)s = 'recipient' AND (lower(t.recipient) = %(value)s OR lower(t.orig_to) = %(value)s)
), verdicts AS (
    SELECT n.day, n.id, n.from_id FROM noqueue n
    WHERE (%(kind)s = 'queue_id' AND n.queue_id = %(value)s)
       OR (%(kind)s = 'login' AND lower(n.sasl_username) = %(value)s)
       OR (%(kind)s = 'sender' AND lower(n.sender) = %(value)s)
       OR (%(kind)s = 'recipient' AND lower(n.recipient) = %(value)s)
       OR (%(kind)s = 'client' AND (n.client_address <<= %(network)s::inet OR lower(n.client_name) = %(value)s))
), whole AS (
    SELECT day, id FROM mails UNION SELECT day, from_id FROM verdicts WHERE from_id IS NOT NULL
), noted AS (
    INSERT INTO retained (kind, value, until, ticket)
    VALUES (%(kind)s, %(value)s, %(until)s, %(ticket)s)
    RETURNING id
), rows AS (
    SELECT day, id FROM whole
    UNION SELECT t.day, t.id FROM whole JOIN delivery_to t ON t.day = whole.day AND t.from_id = whole.id
    UNION SELECT n.day, n.id FROM whole JOIN noqueue n ON n.day = whole.day AND n.from_id = whole.id
    UNION SELECT day, id FROM verdicts
), kept AS (
    INSERT INTO retained_row (day, id, retained_id)
    SELECT rows.day, rows.id, noted.id FROM rows CROSS JOIN noted
)
SELECT noted.id, (SELECT count(*) FROM rows) AS rows FROM noted
