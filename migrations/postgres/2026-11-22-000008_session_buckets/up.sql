-- How many sessions there are by the time at which they started, so that a page deep in a list is found without walking
-- to it: whole buckets are skipped, coarse ones first. A bucket of a level holds the sessions of the same 2^level ms: 50
-- days (32), 4.7 hours (24) or 66 seconds (16); its number is started_at >> level. A session that starts moves one
-- row a level in each of its three scopes, and a list reads at most 256 rows of each of the two finer levels. scope and
-- holder are those of chat_session_counts. Both statuses are in one row: a close rewrites one row a level and not two.
--
-- Rows of buckets that have become empty stay. A look at a level is bounded without their removal, which would cost
-- every close a statement more.
--
-- Each writer has rows of its own, and only their sum means something, as in chat_session_counts.
--
-- Beside running nodes: stop them first, because a node that does not know this table goes on to open and close
-- sessions without counting them here, and lists then miss their pages. Where that has happened, take the step back and
-- apply it again with the nodes stopped: it counts what is there.
CREATE TABLE chat_session_buckets (
    scope  TEXT COLLATE "C" NOT NULL CHECK (scope IN ('all', 'user', 'agent', 'unassigned')),
    holder TEXT COLLATE "C" NOT NULL,
    level  INTEGER          NOT NULL CHECK (level IN (16, 24, 32)),
    bucket BIGINT           NOT NULL,
    writer INTEGER          NOT NULL,
    active BIGINT           NOT NULL,
    closed BIGINT           NOT NULL,
    PRIMARY KEY (scope, holder, level, bucket, writer)
) WITH (fillfactor = 70);

-- A database that is in use starts with what is there.
INSERT INTO chat_session_buckets (scope, holder, level, bucket, writer, active, closed)
    WITH counted AS (
        SELECT 'all' AS scope, '' AS holder, status, started_at FROM chat_sessions
        UNION ALL
        SELECT 'user', user_id, status, started_at FROM chat_sessions
        UNION ALL
        SELECT 'agent', agent_id, status, started_at FROM chat_sessions WHERE agent_id IS NOT NULL
        UNION ALL
        SELECT 'unassigned', '', status, started_at FROM chat_sessions WHERE agent_id IS NULL
    ),
    levels AS (
        SELECT 16 AS level UNION ALL SELECT 24 UNION ALL SELECT 32
    )
    SELECT scope, holder, level, started_at >> level, 0,
           count(*) FILTER (WHERE status = 'active'), count(*) FILTER (WHERE status = 'closed')
    FROM counted CROSS JOIN levels
    GROUP BY scope, holder, level, started_at >> level;
