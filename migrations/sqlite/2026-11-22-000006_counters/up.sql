-- Counters, moved in the transactions that make the facts, so that nothing is ever counted by reading it.

-- One row per writer, summed when read: several writers never wait for each other's row.
CREATE TABLE chat_stats (
    writer           INTEGER NOT NULL PRIMARY KEY,
    opened           BIGINT  NOT NULL,
    closed           BIGINT  NOT NULL,
    messages         BIGINT  NOT NULL,
    responses        BIGINT  NOT NULL,
    response_time_ms BIGINT  NOT NULL
);

-- How many sessions there are of a status: of all ('all'), of a user ('user'), of an agent ('agent'), and of those that
-- nobody has ('unassigned'). holder is the user or the agent, else empty.
CREATE TABLE chat_session_counts (
    scope  TEXT   NOT NULL CHECK (scope IN ('all', 'user', 'agent', 'unassigned')),
    holder TEXT   NOT NULL,
    status TEXT   NOT NULL CHECK (status IN ('active', 'closed')),
    count  BIGINT NOT NULL CHECK (count >= 0),
    PRIMARY KEY (scope, holder, status)
) WITHOUT ROWID;
