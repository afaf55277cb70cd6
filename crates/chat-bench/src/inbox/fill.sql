-- Fills an empty, migrated database with sessions for the inbox: before it, a view `numbers` with the numbers `n` from 1 on,
-- and {sessions}, {id}, {message_id} and {fingerprint} put in. Both databases understand the rest.
--
-- At every size 40 agents have 25 active sessions each. One session in a hundred waits in the queue, and all others have
-- ended. Customers have ten sessions each. Messages are not stored: an inbox reads none, since a session has its newest one.
INSERT INTO chat_sessions (id, user_id, agent_id, status, priority, subject, tags, started_at, ended_at, last_seq,
                           message_count, waiting_since, unread_by_user, unread_by_support, user_delivered_seq,
                           support_delivered_seq, created_by, idempotency_key, fingerprint, last_message, last_activity_at,
                           queue_place, settled_at)
    SELECT {id}, customer, agent, CASE WHEN is_closed = 1 THEN 'closed' ELSE 'active' END,
           CASE n % 3 WHEN 0 THEN 'high' WHEN 1 THEN 'medium' ELSE 'low' END, 'Question ' || n, '["billing"]', start,
           CASE WHEN is_closed = 1 THEN start + 3600000 END, 53, 50,
           CASE WHEN is_closed = 0 THEN start + 51000 END, 1, 1, 0, 0, customer, 'key ' || n, {fingerprint},
           '50 51 ' || {message_id} || ' user ' || (start + 51000) || ' 0 ' || customer || '
Where is my parcel? It was due last week, and the page of the carrier says that it has left the depot.',
           start + 51000, CASE WHEN is_closed = 0 AND agent IS NULL THEN -(start + 51000) END,
           CASE WHEN is_closed = 1 THEN start + 51000 END
    FROM (SELECT n, 'user-' || (n % ({sessions} / 10)) AS customer,
                 CASE WHEN n % ({sessions} / 1000) = 2 THEN 'agent-' || (n / ({sessions} / 1000) % 40)
                      WHEN n % 100 = 1 OR n % 3 = 0 THEN NULL
                      ELSE 'agent-' || (n % 40) END AS agent,
                 CASE WHEN n % ({sessions} / 1000) = 2 OR n % 100 = 1 THEN 0 ELSE 1 END AS is_closed,
                 1735689600000 + n * (31536000000 / {sessions}) AS start
          FROM numbers) AS of_n;

-- The counters, as the migrations make them of what is there.
DELETE FROM chat_session_counts;
