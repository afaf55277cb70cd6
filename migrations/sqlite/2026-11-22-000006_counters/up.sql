-- Counters, moved in the transactions that make the facts, so that nothing is ever counted by reading it.
--
-- Beside running nodes: no other process uses the file while migrations run.

-- One row per writer, summed when read: several writers never wait for each other's row.
CREATE TABLE chat_stats (
    writer           INTEGER NOT NULL PRIMARY KEY,
    opened           BIGINT  NOT NULL,
    closed           BIGINT  NOT NULL,
    messages         BIGINT  NOT NULL,
    responses        BIGINT  NOT NULL,
    response_time_ms BIGINT  NOT NULL
);

-- How many sessions there are of a status: of all ('all'), of a user ('user'), of an agent ('agent'), and of those
-- without an agent ('unassigned'). holder is the user or the agent, else empty.
CREATE TABLE chat_session_counts (
    scope  TEXT   NOT NULL CHECK (scope IN ('all', 'user', 'agent', 'unassigned')),
    holder TEXT   NOT NULL,
    status TEXT   NOT NULL CHECK (status IN ('active', 'closed')),
    count  BIGINT NOT NULL CHECK (count >= 0),
    PRIMARY KEY (scope, holder, status)
) WITHOUT ROWID;

-- Taken back and applied again on a database that is in use, the counters start with what is there.
INSERT INTO chat_session_counts (scope, holder, status, count)
    SELECT 'all', '', status, count(*) FROM chat_sessions GROUP BY status
    UNION ALL
    SELECT 'user', user_id, status, count(*) FROM chat_sessions GROUP BY user_id, status
    UNION ALL
    SELECT 'agent', agent_id, status, count(*) FROM chat_sessions WHERE agent_id IS NOT NULL GROUP BY agent_id, status
    UNION ALL
    SELECT 'unassigned', '', status, count(*) FROM chat_sessions WHERE agent_id IS NULL GROUP BY status;

-- A support message right after a customer's answers the customer's unbroken run of messages before it, and took as long
-- as since the first of that run.
INSERT INTO chat_stats (writer, opened, closed, messages, responses, response_time_ms)
    WITH in_order AS (
        SELECT session_id, seq, sender, created_at,
               lag(sender) OVER (PARTITION BY session_id ORDER BY seq) AS before
        FROM chat_messages
    ),
    with_run AS (
        SELECT session_id, sender, created_at, before,
               max(CASE WHEN sender = 'user' AND before IS NOT 'user' THEN seq END)
                   OVER (PARTITION BY session_id ORDER BY seq) AS run
        FROM in_order
    ),
    answers AS (
        SELECT max(0, with_run.created_at - first.created_at) AS took
        FROM with_run JOIN chat_messages AS first ON first.session_id = with_run.session_id AND first.seq = with_run.run
        WHERE with_run.sender = 'support' AND with_run.before = 'user'
    )
    SELECT 0,
           (SELECT count(*) FROM chat_sessions),
           (SELECT count(*) FROM chat_sessions WHERE status = 'closed'),
           (SELECT count(*) FROM chat_messages),
           (SELECT count(*) FROM answers),
           (SELECT coalesce(sum(took), 0) FROM answers);
