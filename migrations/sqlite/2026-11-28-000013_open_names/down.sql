-- Fails, and changes nothing, once a newer version has written a name that the checks do not have: changing a check's text
-- does not look at the rows, so they are looked at first.
CREATE TABLE chat_unknown_names (
    name TEXT,
    CONSTRAINT a_newer_version_has_written_names_that_the_older_schema_refuses CHECK (name IS NULL)
);
INSERT INTO chat_unknown_names SELECT status FROM chat_sessions
    WHERE status NOT IN ('active', 'closed') OR priority NOT IN ('low', 'medium', 'high') LIMIT 1;
INSERT INTO chat_unknown_names SELECT sender FROM chat_messages WHERE sender NOT IN ('user', 'support') LIMIT 1;
INSERT INTO chat_unknown_names SELECT kind FROM chat_session_events
    WHERE kind NOT IN ('opened', 'assigned', 'transferred', 'closed', 'delivered', 'read') LIMIT 1;
INSERT INTO chat_unknown_names SELECT scope FROM chat_session_counts
    WHERE scope NOT IN ('all', 'user', 'agent', 'unassigned') OR status NOT IN ('active', 'closed') LIMIT 1;
INSERT INTO chat_unknown_names SELECT scope FROM chat_session_buckets
    WHERE scope NOT IN ('all', 'user', 'agent', 'unassigned') LIMIT 1;

PRAGMA writable_schema = ON;
UPDATE sqlite_schema
    SET sql = replace(replace(replace(sql,
        'CHECK (CASE status WHEN ''active'' THEN ended_at IS NULL WHEN ''closed'' THEN ended_at IS NOT NULL ELSE true END)',
        'CHECK ((status = ''closed'') = (ended_at IS NOT NULL))'),
        'CHECK (status <> '''')', 'CHECK (status IN (''active'', ''closed''))'),
        'CHECK (priority <> '''')', 'CHECK (priority IN (''low'', ''medium'', ''high''))')
    WHERE type = 'table' AND name = 'chat_sessions';
UPDATE sqlite_schema
    SET sql = replace(sql, 'CHECK (sender <> '''')', 'CHECK (sender IN (''user'', ''support''))')
    WHERE type = 'table' AND name = 'chat_messages';
UPDATE sqlite_schema
    SET sql = replace(sql, 'CHECK (kind <> '''')',
        'CHECK (kind IN (''opened'', ''assigned'', ''transferred'', ''closed'', ''delivered'', ''read''))')
    WHERE type = 'table' AND name = 'chat_session_events';
UPDATE sqlite_schema
    SET sql = replace(replace(sql,
        'CHECK (scope <> '''')', 'CHECK (scope IN (''all'', ''user'', ''agent'', ''unassigned''))'),
        'CHECK (status <> '''')', 'CHECK (status IN (''active'', ''closed''))')
    WHERE type = 'table' AND name IN ('chat_session_counts', 'chat_session_buckets');
DROP TABLE chat_unknown_names;
PRAGMA writable_schema = RESET;
