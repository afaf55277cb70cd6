-- What a session was about when it was opened (subject, priority, tags), and the sequence number of the first change of that,
-- as JSON. NULL while it is what it was opened with. A repeated request to open it is answered with this, and events of
-- before that change show it.
--
-- Beside running nodes: safe. A column without a default is added without touching a row. A node that does not know it
-- answers a repeated opening of a changed session with what that is about now. The lock is taken as in 000013_open_names, so
-- that no statement of a node waits behind it while a long transaction, such as a dump, has the table.
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

ALTER TABLE chat_sessions ADD COLUMN opened_with TEXT;
