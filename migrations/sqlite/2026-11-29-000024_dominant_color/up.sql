-- The dominant colour of a picture, which a page shows in its place until it has loaded: the number 0xRRGGBB in sRGB. NULL
-- for other files, for pictures that the node had no time for as they were stored, and in older rows.
--
-- Beside running nodes: no other process uses the file while migrations run.
ALTER TABLE chat_attachments ADD COLUMN dominant_color INTEGER;
ALTER TABLE chat_uploads ADD COLUMN dominant_color INTEGER;
