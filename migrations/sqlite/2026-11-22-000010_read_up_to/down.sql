ALTER TABLE chat_sessions DROP COLUMN read_to_support;
ALTER TABLE chat_sessions DROP COLUMN read_to_user;
