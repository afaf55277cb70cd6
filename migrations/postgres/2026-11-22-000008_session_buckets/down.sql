DROP TABLE chat_session_buckets;
