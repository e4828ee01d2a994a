-- Ended mails of finished sources, and transactions that were never completed: no line will follow.
o.t_f < %(before)s
AND (o.ended_at IS NOT NULL
     OR NOT EXISTS (SELECT FROM delivery_from f WHERE f.day = o.day AND f.id = o.id
                    AND (f.queued_at IS NOT NULL OR f.held_at IS NOT NULL)))
AND EXISTS (SELECT FROM source s WHERE s.id = o.source_id
            AND CASE s.kind WHEN 'journal' THEN o.t_f < s.t - interval '1 day'
                ELSE s.updated_at < now() - interval '1 day' END)
