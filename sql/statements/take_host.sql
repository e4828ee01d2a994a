-- The session that changes the host's mails from now on; whoever was it looks at them anew.
UPDATE host SET writer = %(writer)s WHERE mta = %(mta)s
