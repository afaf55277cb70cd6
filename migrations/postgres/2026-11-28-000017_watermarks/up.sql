-- Names the watermarks of a session after the side and what it has: user_read_seq is the sequence number up to which the
-- user has read. The data of the events that hold a session uses the same words, also in the events that are there. A name
-- between quotation marks and a colon is no part of a value, in which JSON escapes a quotation mark.
--
-- Beside running nodes: stop them first, because the version before reads and writes the columns by their old names.
ALTER TABLE chat_sessions RENAME COLUMN delivered_to_user TO user_delivered_seq;
ALTER TABLE chat_sessions RENAME COLUMN delivered_to_support TO support_delivered_seq;
ALTER TABLE chat_sessions RENAME COLUMN read_to_user TO user_read_seq;
ALTER TABLE chat_sessions RENAME COLUMN read_to_support TO support_read_seq;

UPDATE chat_session_events
    SET data = replace(replace(replace(replace(data,
            '"deliveredToUser":', '"userDeliveredSeq":'),
            '"deliveredToSupport":', '"supportDeliveredSeq":'),
            '"readToUser":', '"userReadSeq":'),
            '"readToSupport":', '"supportReadSeq":')
    WHERE kind IN ('opened', 'assigned', 'transferred', 'closed');
