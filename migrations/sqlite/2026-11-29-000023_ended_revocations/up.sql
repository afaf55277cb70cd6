-- Finds the revocations that refuse nothing any more, to remove them: of people who are not blocked, and who were signed
-- out or unblocked longer ago than any token lives. The version of a row is at least the time of its change in
-- milliseconds since 1970.
--
-- Beside running nodes: no other process uses the file while it is migrated.
--
-- The index does not start with session_id: nothing here belongs to a session.
CREATE INDEX chat_revocations_by_end ON chat_revocations (is_blocked, version);
