-- Columns with one of a few names (kinds, statuses, priorities, senders, scopes) take any name, so that a later version can
-- write one that is new while this version runs beside it: it takes what it does not know as `from_store` and
-- `state_from_db` say, and an event of an unknown kind as one that only takes its number. What is known keeps its rule: an
-- active session has no end, and a closed one has.
--
-- Beside running nodes: safe. Dropping a check is a change of the catalogue alone. The new one reads the sessions once
-- under a lock; that is about a second for every few million of them.
ALTER TABLE chat_sessions
    DROP CONSTRAINT chat_sessions_status_check,
    DROP CONSTRAINT chat_sessions_priority_check,
    DROP CONSTRAINT chat_sessions_check,
    ADD CONSTRAINT chat_sessions_end_check
        CHECK (CASE status WHEN 'active' THEN ended_at IS NULL WHEN 'closed' THEN ended_at IS NOT NULL ELSE true END);
ALTER TABLE chat_messages DROP CONSTRAINT chat_messages_sender_check;
ALTER TABLE chat_session_events DROP CONSTRAINT chat_session_events_kind_check;
ALTER TABLE chat_session_counts
    DROP CONSTRAINT chat_session_counts_scope_check,
    DROP CONSTRAINT chat_session_counts_status_check;
ALTER TABLE chat_session_buckets DROP CONSTRAINT chat_session_buckets_scope_check;
