-- The dominant colour of a picture, which a page shows in its place until it has loaded: the number 0xRRGGBB in sRGB. NULL
-- for other files, for pictures that the node had no time for as they were stored, and in older rows.
--
-- Beside running nodes: safe. A node of the version before stores files without it, also those that it sends of an upload
-- that had it, and reads rows without looking at it.
ALTER TABLE chat_attachments ADD COLUMN dominant_color INTEGER;
ALTER TABLE chat_uploads ADD COLUMN dominant_color INTEGER;
