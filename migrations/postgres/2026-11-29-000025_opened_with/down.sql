ALTER TABLE chat_sessions DROP COLUMN opened_with;
