-- Makes the table as it was before, and counts the sessions that are there.
CREATE TABLE chat_session_buckets (
    scope  TEXT    NOT NULL CHECK (scope <> ''),
    holder TEXT    NOT NULL,
    level  INTEGER NOT NULL CHECK (level IN (16, 24, 32)),
    bucket BIGINT  NOT NULL,
    active BIGINT  NOT NULL CHECK (active >= 0),
    closed BIGINT  NOT NULL CHECK (closed >= 0),
    PRIMARY KEY (scope, holder, level, bucket)
) WITHOUT ROWID;

-- The version before starts with what is there.
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
