DROP TABLE chat_session_events;
