-- The oldest day of mails and of verdicts, but for rows that are retained.
SELECT kept."table", kept.oldest
FROM (VALUES ('delivery',
              (SELECT min(f.day) FROM delivery_from f
               WHERE NOT EXISTS (SELECT FROM retained_row r WHERE r.day = f.day AND r.id = f.id))),
             ('noqueue',
              (SELECT min(n.day) FROM noqueue n
               WHERE NOT EXISTS (SELECT FROM retained_row r WHERE r.day = n.day AND r.id = n.id)))) kept ("table", oldest)
