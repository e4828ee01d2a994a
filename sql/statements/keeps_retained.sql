-- Whether rows of these days are retained.
SELECT EXISTS (SELECT FROM retained_row WHERE day >= %(day_from)s AND day < %(day_to)s)
