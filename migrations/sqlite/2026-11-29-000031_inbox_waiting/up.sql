-- The queue as the inbox shows it: by priority, then by how long the customer has waited. Read backwards, as all indexes of the
-- inbox are.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE INDEX chat_sessions_by_queue ON chat_sessions ((CASE priority WHEN 'high' THEN 2 WHEN 'low' THEN 0 ELSE 1 END), queue_place, id)
    WHERE agent_id IS NULL AND status = 'active';
