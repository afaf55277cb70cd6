-- What the inbox shows of a session and is ordered by:
--
-- * last_message: the newest message as text (which one it is, sequence number, id, sender, time, number of files, author,
--   preview).
-- * last_activity_at: when the session was opened, assigned or transferred, or a message was sent, whichever was last.
-- * queue_place: of an active session without an agent, since when its customer waits, or the end of the year 9999 when they
--   have been answered, as a negative number, since an index is read in one direction; else NULL. Messages of a session that
--   has an agent never change it, so an index may hold it.
-- * settled_at: of a session that has ended, its last_activity_at; else NULL. An index may hold it for the same reason.
--
-- The first three are written by the statement that moves last_seq.
--
-- Beside running nodes: safe. Columns without a default are added without touching a row. A node that does not know them
-- leaves them as they are. What it has added to a session is noticed by message_count, and the newest message is then looked
-- up; last_activity_at, and the place in the queue, are right again with the next message. Sessions of before that have ended
-- show their end as their last activity. The lock is taken as in 000013_open_names, so that no statement of a node waits behind
-- it while a long transaction, such as a dump, has the table.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '100ms', true);
    FOR attempt IN 1..100 LOOP
        BEGIN
            LOCK TABLE chat_sessions IN ACCESS EXCLUSIVE MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            -- The end of the subtransaction has released what was locked.
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    RAISE lock_not_available USING MESSAGE = 'other transactions did not release the table chat_sessions for 100 attempts',
        HINT = 'End transactions that have been open for long (pg_stat_activity.xact_start), then start again.';
END
$$;

ALTER TABLE chat_sessions
    ADD COLUMN last_message TEXT,
    ADD COLUMN last_activity_at BIGINT,
    ADD COLUMN queue_place BIGINT,
    ADD COLUMN settled_at BIGINT;
