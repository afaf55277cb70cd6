ALTER TABLE chat_tickets DROP COLUMN token_key;
