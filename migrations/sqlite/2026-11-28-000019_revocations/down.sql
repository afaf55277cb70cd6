ALTER TABLE chat_tickets DROP COLUMN token_issued_at;
DROP TABLE chat_revocations;
