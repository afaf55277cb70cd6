DROP INDEX CONCURRENTLY IF EXISTS chat_sessions_by_settled;
