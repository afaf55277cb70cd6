-- The same message in one statement, which is a transaction: the fastest that the database stores a single one. The key is
-- checked by its unique index.
\set n random(1, :sessions)
\set key random(1, 9000000000000000000)
WITH moved AS (
    UPDATE chat_sessions
        SET last_seq = last_seq + 1, message_count = message_count + 1, unread_by_support = unread_by_support + 1,
            waiting_since = coalesce(waiting_since, (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT)
        WHERE id = md5('session ' || :n)::UUID AND status = 'active'
        RETURNING id, last_seq
)
INSERT INTO chat_messages (session_id, seq, id, author_id, sender, content, created_at, attachment_count,
                           idempotency_key, fingerprint)
    SELECT id, last_seq, gen_random_uuid(), 'pgbench', 'user', repeat('m', 100),
           (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT, 0, 'key ' || :key, decode(repeat('ab', 32), 'hex')
    FROM moved;
