-- Fills what active sessions of before are ordered by. Their newest messages are looked up until the next one is sent, since
-- a preview cannot be made in SQL; and sessions that have ended show their end, so that this takes as long as there are active
-- sessions and not as there are sessions.
--
-- Beside running nodes: safe. It commits after each 500 sessions, so that a message waits for no more than these; they are
-- locked in the order of their ids, as nodes do, so that nothing deadlocks. If it is interrupted, it goes on where it was.
-- Nodes that do not know the columns leave them behind, as 000029_inbox says.
DO $$
DECLARE
    reached uuid := '00000000-0000-0000-0000-000000000000';
    filled uuid[];
BEGIN
    LOOP
        filled := ARRAY(
            SELECT id FROM chat_sessions
            WHERE status = 'active' AND last_activity_at IS NULL AND id > reached
            ORDER BY id LIMIT 500 FOR UPDATE);
        EXIT WHEN cardinality(filled) = 0;
        UPDATE chat_sessions AS s
            SET last_activity_at = greatest(
                    s.started_at,
                    (SELECT m.created_at FROM chat_messages AS m
                        WHERE m.session_id = s.id ORDER BY m.seq DESC LIMIT 1),
                    (SELECT max(e.at) FROM chat_session_events AS e
                        WHERE e.session_id = s.id AND e.kind IN ('assigned', 'transferred'))),
                queue_place = CASE
                    WHEN s.agent_id IS NOT NULL THEN NULL
                    WHEN s.message_count = 0 THEN -s.started_at
                    ELSE -coalesce(s.waiting_since, 253402300799999)
                END
            WHERE s.id = ANY (filled);
        reached := filled[cardinality(filled)];
        COMMIT;
    END LOOP;
END
$$;
