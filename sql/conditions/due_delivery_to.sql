-- Recipients before the first day that is kept, or a customer's.
(coalesce(r.day < {first}::date, false) OR ({customers}::jsonb <> jsonb_build_object()
    AND is_customers(r.day, r.recipient, r.orig_to, {customers})))
AND r.from_id NOT IN (SELECT u.id FROM unfinished_mail u WHERE u.day >= %(begin)s AND u.day < %(end)s)
