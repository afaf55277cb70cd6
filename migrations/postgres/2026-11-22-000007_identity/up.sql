-- Who this database is, in one random row. Stored files that no message of the database has are removed after a day;
-- beside another database, started by mistake in place of this one, that would be all of them. So the attachment
-- store is marked with the identity of its database, and a server refuses to join two that do not belong together. A
-- copy of the database, such as a backup, has the same identity.
--
-- Beside running nodes: safe. A node that does not know the table does not read it.
CREATE TABLE chat_identity (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 32)
);

INSERT INTO chat_identity (id) VALUES (replace(gen_random_uuid()::TEXT, '-', ''));
