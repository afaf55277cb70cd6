-- What changed sessions were opened with is lost: applied again, a repeated request to open one is answered with what it
-- is about now, and so are its events from before the first change.
ALTER TABLE chat_sessions DROP COLUMN opened_with;
