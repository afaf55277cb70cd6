-- The sessions that pgbench sends to, beside those that the service opened. Their ids follow from their numbers, so that a
-- script can name one without asking for it.
INSERT INTO chat_sessions (id, user_id, status, priority, tags, started_at, last_seq, message_count, unread_by_user,
                           unread_by_support, user_delivered_seq, support_delivered_seq, created_by)
    SELECT md5('session ' || n)::UUID, 'pgbench', 'active', 'medium', '[]',
           (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT, 1, 0, 0, 0, 0, 0, 'pgbench'
    FROM generate_series(1, 1000) AS n;
INSERT INTO chat_session_events (session_id, seq, kind, actor, at, data)
    SELECT id, 1, 'opened', user_id, started_at, '{}' FROM chat_sessions WHERE user_id = 'pgbench';
