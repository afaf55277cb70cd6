-- The dominant colour of a picture, which a page shows in its place until it has loaded: the number 0xRRGGBB in sRGB. NULL
-- for other files, for pictures that the node had no time for as they were stored, and in older rows.
--
-- Beside running nodes: safe. A node of the version before stores files without it, also those that it sends of an upload
-- that had it, and reads rows without looking at it. Both tables are locked as in 000013_open_names, for the same reasons.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '100ms', true);
    FOR attempt IN 1..100 LOOP
        BEGIN
            LOCK TABLE chat_uploads, chat_attachments IN ACCESS EXCLUSIVE MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            -- The end of the subtransaction has released what was locked.
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    RAISE lock_not_available USING MESSAGE = 'other transactions did not release the tables chat_uploads and chat_attachments for 100 attempts',
        HINT = 'End transactions that have been open for long (pg_stat_activity.xact_start), then start again.';
END
$$;

ALTER TABLE chat_uploads ADD COLUMN dominant_color INTEGER;
ALTER TABLE chat_attachments ADD COLUMN dominant_color INTEGER;
