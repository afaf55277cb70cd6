-- Up to which position each side has read everything of the other one, so that reading up to a later position looks at
-- what lies between the two and not at all that was read before. 0, which is also what a server that does not know these
-- columns leaves, only makes the next look a longer one.
--
-- Beside running nodes: safe. A node that does not know the columns leaves them as they are.
ALTER TABLE chat_sessions
    ADD COLUMN read_to_user BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN read_to_support BIGINT NOT NULL DEFAULT 0;
