-- Nothing to do: nodes sign tickets for downloads with a key that is derived from the one of chat_fanout_key. In SQLite,
-- this step makes a key.
SELECT 1;
