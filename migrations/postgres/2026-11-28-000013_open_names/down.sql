-- Fails, and changes nothing, once a newer version has written a name that the checks do not have.
ALTER TABLE chat_sessions
    DROP CONSTRAINT chat_sessions_end_check,
    ADD CONSTRAINT chat_sessions_status_check CHECK (status IN ('active', 'closed')),
    ADD CONSTRAINT chat_sessions_priority_check CHECK (priority IN ('low', 'medium', 'high')),
    ADD CONSTRAINT chat_sessions_check CHECK ((status = 'closed') = (ended_at IS NOT NULL));
ALTER TABLE chat_messages ADD CONSTRAINT chat_messages_sender_check CHECK (sender IN ('user', 'support'));
ALTER TABLE chat_session_events ADD CONSTRAINT chat_session_events_kind_check
    CHECK (kind IN ('opened', 'assigned', 'transferred', 'closed', 'delivered', 'read'));
ALTER TABLE chat_session_counts
    ADD CONSTRAINT chat_session_counts_scope_check CHECK (scope IN ('all', 'user', 'agent', 'unassigned')),
    ADD CONSTRAINT chat_session_counts_status_check CHECK (status IN ('active', 'closed'));
ALTER TABLE chat_session_buckets
    ADD CONSTRAINT chat_session_buckets_scope_check CHECK (scope IN ('all', 'user', 'agent', 'unassigned'));
