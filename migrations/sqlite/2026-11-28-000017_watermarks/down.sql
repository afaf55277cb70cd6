ALTER TABLE chat_sessions RENAME COLUMN user_delivered_seq TO delivered_to_user;
ALTER TABLE chat_sessions RENAME COLUMN support_delivered_seq TO delivered_to_support;
ALTER TABLE chat_sessions RENAME COLUMN user_read_seq TO read_to_user;
ALTER TABLE chat_sessions RENAME COLUMN support_read_seq TO read_to_support;

UPDATE chat_session_events
    SET data = replace(replace(replace(replace(data,
            '"userDeliveredSeq":', '"deliveredToUser":'),
            '"supportDeliveredSeq":', '"deliveredToSupport":'),
            '"userReadSeq":', '"readToUser":'),
            '"supportReadSeq":', '"readToSupport":')
    WHERE kind IN ('opened', 'assigned', 'transferred', 'closed');
