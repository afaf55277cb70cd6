ALTER TABLE chat_sessions
    DROP COLUMN last_message,
    DROP COLUMN last_activity_at,
    DROP COLUMN queue_place,
    DROP COLUMN settled_at;
