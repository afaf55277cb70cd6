-- The queue as the inbox shows it: by priority, then by how long the customer has waited. Read backwards, as all indexes of the
-- inbox are. A session that only an older node has touched has its start in place of queue_place.
--
-- It does not start with session_id: none of the lists of sessions does. It holds no column that a message in a session with an
-- agent changes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_sessions_by_queue ON chat_sessions ((CASE priority WHEN 'high' THEN 2 WHEN 'low' THEN 0 ELSE 1 END), (coalesce(queue_place, -started_at)), id)
    WHERE agent_id IS NULL AND status = 'active';
