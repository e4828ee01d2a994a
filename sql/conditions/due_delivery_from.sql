-- Mails before the first day that is kept, or a customer's: those it sent, and those to it alone. Of
-- its own the row goes only when no recipient of others is left with it.
(coalesce(r.day < {first}::date, false) OR ({customers}::jsonb <> jsonb_build_object()
    AND r.day >= coalesce({first}::date, '-infinity')
    AND ((NOT {deletes} AND is_customers(r.day, r.sender, r.sender_given, {customers}))
         OR ((is_customers(r.day, r.sender, r.sender_given, {customers})
              OR EXISTS (SELECT FROM delivery_to t WHERE t.day = r.day AND t.from_id = r.id))
             AND NOT EXISTS (SELECT FROM delivery_to t WHERE t.day = r.day AND t.from_id = r.id
                             AND NOT is_customers(t.day, t.recipient, t.orig_to, {customers}))))))
AND r.id NOT IN (SELECT u.id FROM unfinished_mail u WHERE u.day >= %(begin)s AND u.day < %(end)s)
