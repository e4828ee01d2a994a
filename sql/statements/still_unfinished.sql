-- For this session, mails that are not over when a clean-up has looked at them, and what is retained: it
-- hides the view.
CREATE TEMPORARY TABLE unfinished_mail AS
SELECT u.day, u.id FROM unfinished_mail u
WHERE NOT EXISTS (SELECT FROM open_mail o WHERE o.day = u.day AND o.id = u.id AND {over})
   OR EXISTS (SELECT FROM retained_row r WHERE r.day = u.day AND r.id = u.id)
