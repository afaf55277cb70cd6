ALTER TABLE chat_sessions DROP COLUMN last_message;
ALTER TABLE chat_sessions DROP COLUMN last_activity_at;
ALTER TABLE chat_sessions DROP COLUMN queue_place;
ALTER TABLE chat_sessions DROP COLUMN settled_at;
