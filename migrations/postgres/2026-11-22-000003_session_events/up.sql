-- The durable changes that are not messages. Together with chat_messages they hold every position of a session's
-- sequence exactly once. data is JSON whose shape belongs to the kind; what never changes about a session is not
-- repeated in it. It is TEXT because only the program reads it. No foreign key, for the reason given at chat_messages.
CREATE TABLE chat_session_events (
    session_id UUID             NOT NULL,
    seq        BIGINT           NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL
               CHECK (kind IN ('opened', 'assigned', 'transferred', 'closed', 'delivered', 'read')),
    actor      TEXT COLLATE "C" NOT NULL,
    at         BIGINT           NOT NULL,
    data       TEXT             NOT NULL,
    PRIMARY KEY (session_id, seq)
);
