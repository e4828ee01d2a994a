-- The times of the log files that were read, and of what came by standard input.
SELECT identity, t_first, t FROM source WHERE kind <> 'journal' AND t_first IS NOT NULL AND t IS NOT NULL
