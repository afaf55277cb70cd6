-- The agent directory: a few hundred rows at most.
CREATE TABLE chat_agents (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    display_name TEXT,
    active       BOOLEAN          NOT NULL,
    created_at   BIGINT           NOT NULL
);
