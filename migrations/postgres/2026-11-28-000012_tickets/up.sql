-- Tickets that open one socket each (`POST …/ws-ticket`): by the SHA-256 of their text, so that what is found in this
-- table opens no socket. A row is inserted when a ticket is issued, deleted when it is used, and lives for a
-- minute at most. The index by expiry is for the sweep that every insertion brings along; the one by person holds the
-- limit of unused tickets.
--
-- Beside running nodes: safe. Those of a version before keep tickets elsewhere, so a ticket opens sockets only at nodes of
-- the version that issued it; its holder asks for another ticket.
--
-- UNLOGGED: a ticket is worth 30 seconds, and its holder asks for another. So tickets take no room in the write-ahead
-- log, no commit of theirs waits for the disk, and they are gone after a crash or on a standby that takes over. What
-- was used never comes back: after a crash the table is empty.
--
-- The primary key does not start with session_id: the digest is all that is known of a ticket that is shown.
CREATE UNLOGGED TABLE chat_tickets (
    digest           BYTEA            NOT NULL PRIMARY KEY CHECK (octet_length(digest) = 32),
    user_id          TEXT COLLATE "C" NOT NULL,
    role             TEXT COLLATE "C" NOT NULL,
    name             TEXT,
    session_id       UUID             NOT NULL,
    token_expires_at BIGINT           NOT NULL,
    expires_at       BIGINT           NOT NULL
);

CREATE INDEX chat_tickets_by_user ON chat_tickets (user_id, expires_at, digest);
CREATE INDEX chat_tickets_by_expiry ON chat_tickets (expires_at);
