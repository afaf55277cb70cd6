ALTER TABLE chat_sessions
    DROP CONSTRAINT chat_sessions_end_check,
    ADD CONSTRAINT chat_sessions_end_check
        CHECK (CASE status WHEN 'active' THEN ended_at IS NULL WHEN 'closed' THEN ended_at IS NOT NULL ELSE true END)
        NOT VALID;
