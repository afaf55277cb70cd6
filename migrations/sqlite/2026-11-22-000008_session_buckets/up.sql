-- How many sessions there are by the time at which they started, so that a page deep in a list is found without walking
-- to it: whole buckets are skipped, coarse ones first. A bucket of a level holds the sessions of the same 2^level ms: 50
-- days (32), 4.7 hours (24) or 66 seconds (16); its number is started_at >> level. A session that starts moves one
-- row a level in each of its three scopes, and a list reads at most 256 rows of each of the two finer levels. scope and
-- holder are those of chat_session_counts. Both statuses are in one row: a close rewrites one row a level and not two.
--
-- Rows of buckets that have become empty stay. A look at a level is bounded without their removal, which would cost
-- every close a statement more.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE TABLE chat_session_buckets (
    scope  TEXT    NOT NULL CHECK (scope IN ('all', 'user', 'agent', 'unassigned')),
    holder TEXT    NOT NULL,
    level  INTEGER NOT NULL CHECK (level IN (16, 24, 32)),
    bucket BIGINT  NOT NULL,
    active BIGINT  NOT NULL CHECK (active >= 0),
    closed BIGINT  NOT NULL CHECK (closed >= 0),
    PRIMARY KEY (scope, holder, level, bucket)
) WITHOUT ROWID;

-- A database that is in use starts with what is there.
INSERT INTO chat_session_buckets (scope, holder, level, bucket, active, closed)
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
    SELECT scope, holder, level, started_at >> level,
           count(*) FILTER (WHERE status = 'active'), count(*) FILTER (WHERE status = 'closed')
    FROM counted CROSS JOIN levels
    GROUP BY scope, holder, level, started_at >> level;
