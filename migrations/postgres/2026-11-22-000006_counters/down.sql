DROP TABLE chat_session_counts;
DROP TABLE chat_stats;
