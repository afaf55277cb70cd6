-- Applied again, the migration makes another key.
DROP TABLE chat_fanout_key;
