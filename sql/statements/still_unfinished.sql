-- For this session, mails that are not over when a clean-up has looked at them: it hides the view.
CREATE TEMPORARY TABLE unfinished_mail AS
SELECT u.day, u.id FROM unfinished_mail u
WHERE NOT EXISTS (SELECT FROM open_mail o WHERE o.day = u.day AND o.id = u.id AND {over})
