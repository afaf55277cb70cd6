ALTER TABLE chat_tickets DROP COLUMN token_issued_at;
DROP TABLE chat_revocation_version;
DROP TABLE chat_revocations;
