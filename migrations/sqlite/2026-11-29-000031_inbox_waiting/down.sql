DROP INDEX chat_sessions_by_queue;
