-- People whose access an admin has ended before their tokens end, by the `sub` of the tokens. Tokens that were issued
-- up to signed_out_at are refused, and a person who is blocked is refused whatever the token. A row stays when a person
-- is unblocked, so that all nodes learn of it. It is removed when it refuses nothing any more (000023_ended_revocations).
--
-- Each change takes the next version. A node remembers the newest version that it has read, and
-- once a second reads what is newer, along the index.
--
-- A ticket says when its token was issued, so that it opens no socket after a sign-out. The column is null for a token
-- that does not say it, and in tickets that a node of the version before has issued.
--
-- Beside running nodes: no other process uses the file while it is migrated.
CREATE TABLE chat_revocations (
    person_id     TEXT    NOT NULL PRIMARY KEY,
    signed_out_at BIGINT,
    is_blocked    BOOLEAN NOT NULL,
    version       BIGINT  NOT NULL
) WITHOUT ROWID;

CREATE UNIQUE INDEX chat_revocations_by_version ON chat_revocations (version);

ALTER TABLE chat_tickets ADD COLUMN token_issued_at BIGINT;
