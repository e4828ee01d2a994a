-- Verdicts before the first day that is kept, or on a customer's mail, from it or to it; none that are
-- retained.
(coalesce(r.day < {first}::date, false) OR ({customers}::jsonb <> jsonb_build_object()
    AND is_customers(r.day, r.sender, r.recipient, {customers})))
AND r.id NOT IN (SELECT k.id FROM retained_row k WHERE k.day >= %(begin)s AND k.day < %(end)s)
