-- What collecting the stored files without a message remembers, and the row that readiness writes.
--
-- A file that no message refers to is marked by a row here. Days later it is condemned (condemned_at is set), and only
-- then are its bytes removed. A message that refers to a marked file takes the mark away in its own transaction; a
-- message that refers to a condemned file is refused. So the row of a condemned file stays long after its bytes have
-- gone: longer than any upload takes.
CREATE TABLE chat_orphans (
    id           BLOB   NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    marked_at    BIGINT NOT NULL,
    condemned_at BIGINT
) WITHOUT ROWID;

CREATE INDEX chat_orphans_by_mark ON chat_orphans (marked_at, id) WHERE condemned_at IS NULL;
CREATE INDEX chat_orphans_by_condemnation ON chat_orphans (condemned_at, id) WHERE condemned_at IS NOT NULL;

-- Which round of collecting this database was in last: one row, missing before the first round. The same generation
-- stands beside the stored files, so that a copy of the database, or of the files, is recognised as such as soon as one
-- of the two goes on. next is the generation of a round that has begun; after a crash the files may have either.
CREATE TABLE chat_collector (
    only_row   BOOLEAN NOT NULL PRIMARY KEY CHECK (only_row),
    generation BLOB    CHECK (length(generation) = 16),
    next       BLOB    CHECK (length(next) = 16)
) WITHOUT ROWID;

-- Readiness writes here, since a database that can be read may be full or read-only.
CREATE TABLE chat_write_probes (
    writer INTEGER NOT NULL PRIMARY KEY,
    writes BIGINT  NOT NULL
);
