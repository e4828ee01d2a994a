-- Whether who is logged in may write into access_log.
SELECT has_function_privilege('note_access(text, text[], bigint, text, text, timestamptz, timestamptz)', 'EXECUTE') AS may
