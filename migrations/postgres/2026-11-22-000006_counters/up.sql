-- Counters, moved in the transactions that make the facts, so that nothing is ever counted by reading it.
--
-- Beside running nodes: stop them first, because a node that does not know these tables goes on to open and close
-- sessions without counting them here.

-- One row per writer, summed when read: several writers never wait for each other's row. A row is rewritten with every
-- commit of its writer, so most of each page is left free for its versions.
CREATE TABLE chat_stats (
    writer           INTEGER NOT NULL PRIMARY KEY,
    opened           BIGINT  NOT NULL,
    closed           BIGINT  NOT NULL,
    messages         BIGINT  NOT NULL,
    responses        BIGINT  NOT NULL,
    response_time_ms BIGINT  NOT NULL
) WITH (fillfactor = 10);

-- How many sessions there are of a status: of all ('all'), of a user ('user'), of an agent ('agent'), and of those
-- without an agent ('unassigned'). holder is the user or the agent, else empty. Each writer has rows of its own here
-- too, and only their sum means something: when one writer opens a session and another closes it, the row of the second
-- one is negative. So there is no CHECK (count >= 0).
CREATE TABLE chat_session_counts (
    scope  TEXT COLLATE "C" NOT NULL CHECK (scope IN ('all', 'user', 'agent', 'unassigned')),
    holder TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'closed')),
    writer INTEGER          NOT NULL,
    count  BIGINT           NOT NULL,
    PRIMARY KEY (scope, holder, status, writer)
) WITH (fillfactor = 70);

-- Taken back and applied again on a database that is in use, the counters start with what is there.
INSERT INTO chat_session_counts (scope, holder, status, writer, count)
    SELECT 'all', '', status, 0, count(*) FROM chat_sessions GROUP BY status
    UNION ALL
    SELECT 'user', user_id, status, 0, count(*) FROM chat_sessions GROUP BY user_id, status
    UNION ALL
    SELECT 'agent', agent_id, status, 0, count(*) FROM chat_sessions
        WHERE agent_id IS NOT NULL GROUP BY agent_id, status
    UNION ALL
    SELECT 'unassigned', '', status, 0, count(*) FROM chat_sessions WHERE agent_id IS NULL GROUP BY status;

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
               max(CASE WHEN sender = 'user' AND before IS DISTINCT FROM 'user' THEN seq END)
                   OVER (PARTITION BY session_id ORDER BY seq) AS run
        FROM in_order
    ),
    answers AS (
        SELECT greatest(0, with_run.created_at - head.created_at) AS took
        FROM with_run JOIN chat_messages AS head ON head.session_id = with_run.session_id AND head.seq = with_run.run
        WHERE with_run.sender = 'support' AND with_run.before = 'user'
    )
    SELECT 0,
           (SELECT count(*) FROM chat_sessions),
           (SELECT count(*) FROM chat_sessions WHERE status = 'closed'),
           (SELECT count(*) FROM chat_messages),
           (SELECT count(*) FROM answers),
           (SELECT coalesce(sum(took), 0)::BIGINT FROM answers);
