-- People whose access an admin has ended before their tokens end, by the `sub` of the tokens. Tokens that were issued
-- up to signed_out_at are refused, and a person who is blocked is refused whatever the token. A row stays when a person
-- is unblocked, so that all nodes learn of it. It is removed when it refuses nothing any more (000023_ended_revocations).
--
-- Each change takes the next version, which comes from the one row of chat_revocation_version, missing before the first
-- change. The row is locked until the commit, so a version is visible only with all smaller ones. A node remembers the
-- newest version that it has read, and once a second reads what is newer, along the index.
--
-- A ticket says when its token was issued, so that it opens no socket after a sign-out. The column is null for a token
-- that does not say it, and in tickets that a node of the version before has issued.
--
-- Beside running nodes: safe. But those of the version before go on accepting people who were signed out or blocked:
-- sign out and block once all nodes have the new version.
--
-- Neither key starts with session_id: nothing here belongs to a session.
CREATE TABLE chat_revocations (
    person_id     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    signed_out_at BIGINT,
    is_blocked    BOOLEAN          NOT NULL,
    version       BIGINT           NOT NULL
);

CREATE UNIQUE INDEX chat_revocations_by_version ON chat_revocations (version);

CREATE TABLE chat_revocation_version (
    only_row BOOLEAN NOT NULL PRIMARY KEY CHECK (only_row),
    version  BIGINT  NOT NULL
);

ALTER TABLE chat_tickets ADD COLUMN token_issued_at BIGINT;
