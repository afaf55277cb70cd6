-- A message as a service without group commit stores it: lock and read the session, look for the idempotency key, insert
-- the message at the next position, update the session. The statistics are left out, in favour of this side.
\set n random(1, :sessions)
\set key random(1, 9000000000000000000)
BEGIN;
SELECT user_id, agent_id, status, last_seq, message_count, waiting_since FROM chat_sessions
    WHERE id = md5('session ' || :n)::UUID FOR UPDATE \gset
SELECT seq, fingerprint FROM chat_messages
    WHERE session_id = md5('session ' || :n)::UUID AND author_id = 'pgbench' AND idempotency_key = 'key ' || :key;
INSERT INTO chat_messages (session_id, seq, id, author_id, sender, content, created_at, attachment_count,
                           idempotency_key, fingerprint)
    VALUES (md5('session ' || :n)::UUID, :last_seq + 1, gen_random_uuid(), 'pgbench', 'user', repeat('m', 100),
            (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT, 0, 'key ' || :key, decode(repeat('ab', 32), 'hex'));
UPDATE chat_sessions
    SET last_seq = :last_seq + 1, message_count = message_count + 1, unread_by_support = unread_by_support + 1,
        waiting_since = coalesce(waiting_since, (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT)
    WHERE id = md5('session ' || :n)::UUID;
COMMIT;
