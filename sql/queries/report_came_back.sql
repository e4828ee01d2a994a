-- Of the refusals of a period that told to come back, those after which the same sender had a mail to
-- the same recipient taken in within a day.
WITH told AS MATERIALIZED (
    SELECT lower(sender) AS sender, lower(recipient) AS recipient, array_agg(t) AS times
    FROM noqueue
    WHERE refused AND temporary AND from_id IS NULL AND t >= %(since)s AND t < %(until)s
      AND day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date - 1 AND (%(until)s AT TIME ZONE 'UTC')::date
      AND sender IS NOT NULL AND recipient IS NOT NULL
      AND (%(mta)s::text IS NULL OR mta = %(mta)s)
    GROUP BY 1, 2
), mail AS (
    SELECT lower(f.sender) AS sender, lower(t.recipient) AS recipient, lower(t.orig_to) AS orig_to, f.t_i
    FROM delivery_from f
    JOIN delivery_to t ON t.day = f.day AND t.from_id = f.id
    WHERE lower(f.sender) IN (SELECT sender FROM told) AND f.t_i > %(since)s
      AND f.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date + 1
      AND t.day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date + 1
), taken AS MATERIALIZED (
    SELECT sender, recipient, array_agg(t_i) AS taken
    FROM (SELECT sender, recipient, t_i FROM mail UNION ALL SELECT sender, orig_to, t_i FROM mail WHERE orig_to IS NOT NULL) m
    GROUP BY sender, recipient
)
SELECT count(*) AS came_back
FROM told JOIN taken USING (sender, recipient), unnest(times) one
WHERE EXISTS (SELECT FROM unnest(taken) two WHERE two > one AND two < one + interval '1 day')
