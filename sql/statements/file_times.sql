-- The times of the log files that were read.
SELECT identity, t_first, t FROM source WHERE kind = 'file' AND t_first IS NOT NULL AND t IS NOT NULL
