-- Records of recipients before the first day that is kept, or a customer's.
(coalesce(r.day < {first}::date, false) OR ({customers}::jsonb <> jsonb_build_object()
    AND EXISTS (SELECT FROM delivery_to t WHERE t.day = r.day AND t.id = r.to_id
                AND is_customers(t.day, t.recipient, t.orig_to, {customers}))))
AND r.to_id NOT IN (SELECT t.id FROM unfinished_mail u JOIN delivery_to t ON t.day = u.day AND t.from_id = u.id
                    WHERE u.day >= %(begin)s AND u.day < %(end)s)
