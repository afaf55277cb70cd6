-- Tickets that open one socket each (`POST …/ws-ticket`): by the SHA-256 of their text, so that what is found in this
-- table opens no socket. A row is inserted when a ticket is issued, deleted when it is used, and lives for a
-- minute at most. The index by expiry is for the sweep that every insertion brings along; the one by person holds the
-- limit of unused tickets.
--
-- Beside running nodes: no other process uses the file while it is migrated.
CREATE TABLE chat_tickets (
    digest           BLOB   NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    user_id          TEXT   NOT NULL,
    role             TEXT   NOT NULL,
    name             TEXT,
    session_id       BLOB   NOT NULL CHECK (length(session_id) = 16),
    token_expires_at BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL
) WITHOUT ROWID;

CREATE INDEX chat_tickets_by_user ON chat_tickets (user_id, expires_at, digest);
CREATE INDEX chat_tickets_by_expiry ON chat_tickets (expires_at);
