-- Verdicts before the first day that is kept, or on a customer's mail: from him or to him.
(coalesce(r.day < {first}::date, false) OR ({customers}::jsonb <> jsonb_build_object()
    AND is_customers(r.day, r.sender, r.recipient, {customers})))
