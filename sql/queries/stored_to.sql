-- How far sources are stored.
SELECT max(t) AS t FROM source WHERE id = ANY (%(own)s)
