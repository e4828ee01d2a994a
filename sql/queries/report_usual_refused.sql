-- Refusals of the periods before, by kind, for each that is wholly covered.
SELECT p.number, h.refusal, sum(h.refused)::bigint AS refused, sum(h.temporary)::bigint AS temporary
FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY p (since, until, number)
JOIN noqueue_hourly h ON h.hour >= p.since AND h.hour < p.until
WHERE (%(mta)s::text IS NULL OR h.mta = %(mta)s)
  AND least((SELECT min(hour) FROM mail_hourly), (SELECT min(hour) FROM noqueue_hourly)) < p.since + interval '1 hour'
GROUP BY p.number, h.refusal
ORDER BY p.number, h.refusal
