-- Sources with their hosts, and how far they are stored.
SELECT id, kind, identity, mta, t, t_first FROM source WHERE mta IS NOT NULL ORDER BY id
