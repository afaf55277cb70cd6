-- Fills what active sessions of before are ordered by. Their newest messages are looked up until the next one is sent, since
-- a preview cannot be made in SQL; and sessions that have ended show their end, so that this takes as long as there are active
-- sessions and not as there are sessions.
--
-- Beside running nodes: no other process uses the file while migrations run.
UPDATE chat_sessions
    SET last_activity_at = max(
            started_at,
            coalesce((SELECT m.created_at FROM chat_messages AS m
                WHERE m.session_id = chat_sessions.id ORDER BY m.seq DESC LIMIT 1), started_at),
            coalesce((SELECT max(e.at) FROM chat_session_events AS e
                WHERE e.session_id = chat_sessions.id AND e.kind IN ('assigned', 'transferred')), started_at)),
        queue_place = CASE
            WHEN agent_id IS NOT NULL THEN NULL
            WHEN message_count = 0 THEN -started_at
            ELSE -coalesce(waiting_since, 253402300799999)
        END
    WHERE status = 'active' AND last_activity_at IS NULL;

-- In PostgreSQL the index has the end in place of this column.
UPDATE chat_sessions SET settled_at = ended_at WHERE ended_at IS NOT NULL AND settled_at IS NULL;
