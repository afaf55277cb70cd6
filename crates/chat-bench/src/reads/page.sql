-- What a page of 50 messages asks the database: the session, then the newest messages and one more, which tells whether
-- there are older ones.
\set n random(1, :sessions)
SELECT id, user_id, agent_id, status, priority, subject, tags, started_at, ended_at, last_seq, message_count,
       waiting_since, unread_by_user, unread_by_support, user_delivered_seq, support_delivered_seq, user_read_seq,
       support_read_seq
    FROM chat_sessions WHERE id = md5('session ' || :n)::UUID \gset
SELECT seq, id, author_id, sender, content, created_at, delivered_at, read_at, attachment_count
    FROM chat_messages WHERE session_id = md5('session ' || :n)::UUID AND seq <= :last_seq ORDER BY seq DESC LIMIT 51;
