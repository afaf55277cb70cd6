DROP INDEX chat_sessions_by_user_end;
