-- Columns with one of a few names (kinds, statuses, priorities, senders, scopes) take any name, so that a later version
-- can write a new name and this version still reads the file: this version takes what it does not know as `from_store`
-- and `state_from_db` say, and an event of an unknown kind as an event that only takes its number. What is known keeps
-- its rule: an active session has no end, and a closed one has.
--
-- SQLite has no statement that drops a check. Copying the tables would need the whole file once more and minutes for a
-- large one, all of it in one transaction. A check has no trace in the rows, so its text in the schema is changed instead,
-- as SQLite's own manual describes it for this case (https://sqlite.org/lang_altertable.html, section 7). Any statement
-- that changes the schema moves its version, by which other connections notice.
--
-- Beside running nodes: no other process uses the file while migrations run.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
    SET sql = replace(replace(replace(sql,
        'CHECK (status IN (''active'', ''closed''))', 'CHECK (status <> '''')'),
        'CHECK (priority IN (''low'', ''medium'', ''high''))', 'CHECK (priority <> '''')'),
        'CHECK ((status = ''closed'') = (ended_at IS NOT NULL))',
        'CHECK (CASE status WHEN ''active'' THEN ended_at IS NULL WHEN ''closed'' THEN ended_at IS NOT NULL ELSE true END)')
    WHERE type = 'table' AND name = 'chat_sessions';
UPDATE sqlite_schema
    SET sql = replace(sql, 'CHECK (sender IN (''user'', ''support''))', 'CHECK (sender <> '''')')
    WHERE type = 'table' AND name = 'chat_messages';
UPDATE sqlite_schema
    SET sql = replace(sql,
        'CHECK (kind IN (''opened'', ''assigned'', ''transferred'', ''closed'', ''delivered'', ''read''))',
        'CHECK (kind <> '''')')
    WHERE type = 'table' AND name = 'chat_session_events';
UPDATE sqlite_schema
    SET sql = replace(replace(sql,
        'CHECK (scope IN (''all'', ''user'', ''agent'', ''unassigned''))', 'CHECK (scope <> '''')'),
        'CHECK (status IN (''active'', ''closed''))', 'CHECK (status <> '''')')
    WHERE type = 'table' AND name IN ('chat_session_counts', 'chat_session_buckets');
CREATE TABLE chat_schema_has_changed (n INTEGER);
DROP TABLE chat_schema_has_changed;
PRAGMA writable_schema = RESET;
