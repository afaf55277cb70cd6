-- The SHA-256 of the public key that verified the token of a ticket: once the identity provider has removed that key, the
-- ticket opens no socket, and a socket that it opened is closed. NULL where keys do not change while a node runs.
--
-- Beside running nodes: no other process uses the file while it is migrated.
ALTER TABLE chat_tickets ADD COLUMN token_key BLOB;
