ALTER TABLE chat_uploads DROP COLUMN dominant_color;
ALTER TABLE chat_attachments DROP COLUMN dominant_color;
