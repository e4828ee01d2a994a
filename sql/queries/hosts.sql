-- The hosts of which lines were read.
SELECT mta FROM host
UNION
SELECT mta FROM source WHERE mta IS NOT NULL
ORDER BY mta
