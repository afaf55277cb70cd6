-- Columns with one of a few names (kinds, statuses, priorities, senders, scopes) take any name, so that a later version
-- can write a new name while this version runs beside it: this version takes what it does not know as `from_store` and
-- `state_from_db` say, and an event of an unknown kind as an event that only takes its number. What is known keeps its
-- rule: an active session has no end, and a closed one has.
--
-- Beside running nodes: safe. All statements change the catalogue alone; the next step but two compares the rows with the
-- new check. Reads and writes wait for at most half a second while the locks are taken. A lock that is not free after a
-- tenth of a second is given up with all others, so that no statement of a node waits behind it, and nothing that has one
-- of the tables and asks for another is ended as a deadlock: PostgreSQL looks for one after a second (deadlock_timeout).
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '100ms', true);
    FOR attempt IN 1..100 LOOP
        BEGIN
            LOCK TABLE chat_sessions, chat_messages, chat_session_events, chat_session_counts, chat_session_buckets
                IN ACCESS EXCLUSIVE MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            -- The end of the subtransaction has released what was locked.
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    RAISE lock_not_available USING MESSAGE = 'other transactions did not release the tables chat_* for 100 attempts',
        HINT = 'End transactions that have been open for long (pg_stat_activity.xact_start), then start again.';
END
$$;

ALTER TABLE chat_sessions
    DROP CONSTRAINT chat_sessions_status_check,
    DROP CONSTRAINT chat_sessions_priority_check,
    DROP CONSTRAINT chat_sessions_check,
    ADD CONSTRAINT chat_sessions_end_check
        CHECK (CASE status WHEN 'active' THEN ended_at IS NULL WHEN 'closed' THEN ended_at IS NOT NULL ELSE true END)
        NOT VALID;
ALTER TABLE chat_messages DROP CONSTRAINT chat_messages_sender_check;
ALTER TABLE chat_session_events DROP CONSTRAINT chat_session_events_kind_check;
ALTER TABLE chat_session_counts
    DROP CONSTRAINT chat_session_counts_scope_check,
    DROP CONSTRAINT chat_session_counts_status_check;
ALTER TABLE chat_session_buckets DROP CONSTRAINT chat_session_buckets_scope_check;
