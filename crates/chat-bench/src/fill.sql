-- Fills an empty, migrated database as a support desk in use leaves it. Before it: \set sessions, a multiple of 10.
--
-- Of ten sessions one has 550 messages and the others 50, which makes 100 on average. Customer and support take turns. The
-- messages are inserted position by position over all sessions, so that the rows of a session lie far apart, as they do
-- when sessions are in use at the same time. Sessions started evenly over the last year; customers have ten each.
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';

INSERT INTO chat_sessions (id, user_id, agent_id, status, priority, subject, tags, started_at, ended_at, last_seq,
                           message_count, unread_by_user, unread_by_support, user_delivered_seq, support_delivered_seq,
                           created_by, idempotency_key, fingerprint)
    SELECT md5('session ' || n)::UUID, 'user ' || n % (:sessions / 10), agent,
           CASE WHEN closed = 1 THEN 'closed' ELSE 'active' END, 'medium', 'Question ' || n, '["billing"]', start,
           CASE WHEN closed = 1 THEN start + 3600000 END,
           -- Opened, the messages, assigned, closed.
           1 + messages + CASE WHEN agent IS NULL THEN 0 ELSE 1 END + closed,
           messages, messages / 2, messages / 2, 0, 0, 'user ' || n % (:sessions / 10), 'key ' || n,
           sha256(int8send(n))
    FROM generate_series(1::BIGINT, :sessions) AS n,
         LATERAL (SELECT CASE WHEN n % 10 = 0 THEN 550 ELSE 50 END AS messages,
                         CASE WHEN n % 5 = 1 THEN 1 ELSE 0 END AS closed,
                         CASE WHEN n % 3 > 0 THEN 'agent ' || n % 40 END AS agent,
                         (extract(epoch FROM now()) * 1000)::BIGINT
                             - (:sessions - n) * (365::BIGINT * 24 * 3600 * 1000 / :sessions) AS start) AS of_n;

INSERT INTO chat_session_events (session_id, seq, kind, actor, at, data)
    SELECT id, 1, 'opened', user_id, started_at,
           '{"messageCount":0,"unreadByUser":0,"unreadBySupport":0,"userDeliveredSeq":0,"supportDeliveredSeq":0}'
    FROM chat_sessions
    UNION ALL
    SELECT id, message_count + 2, 'assigned', agent_id, started_at + 600000,
           format('{"agent":"%s","messageCount":%s,"unreadByUser":%s,"unreadBySupport":%s,"userDeliveredSeq":0,'
                  '"supportDeliveredSeq":0}', agent_id, message_count, unread_by_user, unread_by_support)
    FROM chat_sessions WHERE agent_id IS NOT NULL
    UNION ALL
    SELECT id, last_seq, 'closed', user_id, ended_at,
           format('{"endedAt":%s,"messageCount":%s,"unreadByUser":%s,"unreadBySupport":%s,"userDeliveredSeq":0,'
                  '"supportDeliveredSeq":0}', ended_at, message_count, unread_by_user, unread_by_support)
    FROM chat_sessions WHERE status = 'closed';

-- Building the indexes at the end is several times faster than adding to them row by row.
CREATE TEMPORARY TABLE indexes AS
    SELECT indexrelid::REGCLASS::TEXT AS name, conname,
           CASE WHEN conname IS NULL THEN pg_get_indexdef(indexrelid)
                ELSE format('ALTER TABLE chat_messages ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(c.oid))
           END AS definition
    FROM pg_index LEFT JOIN pg_constraint AS c ON conindid = indexrelid
    WHERE indrelid = 'chat_messages'::REGCLASS;
SELECT CASE WHEN conname IS NULL THEN format('DROP INDEX %s', name)
            ELSE format('ALTER TABLE chat_messages DROP CONSTRAINT %I', conname) END
    FROM indexes \gexec

-- OFFSET 0 keeps the planner from turning the loop inside out.
INSERT INTO chat_messages (session_id, seq, id, author_id, sender, content, created_at, attachment_count,
                           idempotency_key, fingerprint)
    SELECT id, seq, gen_random_uuid(), CASE WHEN seq % 2 = 0 THEN user_id ELSE 'desk' END,
           CASE WHEN seq % 2 = 0 THEN 'user' ELSE 'support' END, repeat('m', 100), started_at + seq * 1000, 0,
           'key ' || seq, decode(repeat('ab', 32), 'hex')
    FROM generate_series(2, 551) AS seq,
         LATERAL (SELECT id, user_id, started_at FROM chat_sessions WHERE message_count > seq - 2 OFFSET 0) AS long_enough;

SELECT definition FROM indexes \gexec

INSERT INTO chat_agents (id, active, created_at) SELECT 'agent ' || n, true, 0 FROM generate_series(0, 39) AS n;

-- The counters, as the migrations make them of what is there. Support answers each message after a second.
DELETE FROM chat_stats;
INSERT INTO chat_stats (writer, opened, closed, messages, responses, response_time_ms)
    SELECT 0, count(*), count(*) FILTER (WHERE status = 'closed'), sum(message_count), sum(message_count / 2),
           sum(message_count / 2) * 1000
    FROM chat_sessions;

CREATE TEMPORARY TABLE counted AS
    SELECT 'all' AS scope, '' AS holder, status FROM chat_sessions
    UNION ALL
    SELECT 'user', user_id, status FROM chat_sessions
    UNION ALL
    SELECT 'agent', agent_id, status FROM chat_sessions WHERE agent_id IS NOT NULL
    UNION ALL
    SELECT 'unassigned', '', status FROM chat_sessions WHERE agent_id IS NULL;
INSERT INTO chat_session_counts (scope, holder, status, writer, count)
    SELECT scope, holder, status, 0, count(*) FROM counted GROUP BY scope, holder, status;

VACUUM (FREEZE, ANALYZE);
