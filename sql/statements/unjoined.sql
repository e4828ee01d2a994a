-- Sources of which lines were stored since halves were last joined, and given ones; locked.
SELECT id FROM source WHERE unjoined OR id = ANY (%(own)s) ORDER BY id FOR UPDATE
