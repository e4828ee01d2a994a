-- Merges of one host's mails wait for each other, until the end of the transaction.
SELECT writer FROM host WHERE mta = %(mta)s FOR UPDATE
