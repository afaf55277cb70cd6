-- The SHA-256 of the public key that verified the token of a ticket: once the identity provider has removed that key, the
-- ticket opens no socket, and a socket that it opened is closed. NULL where keys do not change while a node runs, and in
-- tickets that a node of the version before has issued.
--
-- Beside running nodes: safe. A column without a default is added without touching a row. A node of the version before
-- issues tickets without it, whose sockets stay open until their tokens end. The lock is taken as in 000013_open_names, so
-- that no statement of a node waits behind it while a long transaction, such as a dump, has the table.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '100ms', true);
    FOR attempt IN 1..100 LOOP
        BEGIN
            LOCK TABLE chat_tickets IN ACCESS EXCLUSIVE MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            -- The end of the subtransaction has released what was locked.
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    RAISE lock_not_available USING MESSAGE = 'other transactions did not release the table chat_tickets for 100 attempts',
        HINT = 'End transactions that have been open for long (pg_stat_activity.xact_start), then start again.';
END
$$;

ALTER TABLE chat_tickets ADD COLUMN token_key BYTEA;
