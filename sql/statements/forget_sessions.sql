-- Sessions that were open when a source was read for the last time, long ago.
UPDATE source SET state = '{}' WHERE state::text <> '{}' AND t < %(first)s
