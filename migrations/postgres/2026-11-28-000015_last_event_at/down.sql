ALTER TABLE chat_sessions DROP COLUMN last_event_at;
