-- Which history the positions of sessions belong to, in one random row. A client that comes back tells the newest
-- position that it knows, with the epoch that it belongs to. When a backup is restored, the operator begins a new epoch:
-- positions that were given out after the backup was made are given out again, for other changes, and a client that
-- knows the old ones must not take the two for the same. The epoch is not the identity of the database, since the
-- stored files still belong to the restored database.
--
-- Beside running nodes: safe. A node that does not know the table does not read it.
CREATE TABLE chat_epoch (
    epoch TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(epoch) = 32)
);

INSERT INTO chat_epoch (epoch) VALUES (replace(gen_random_uuid()::TEXT, '-', ''));
