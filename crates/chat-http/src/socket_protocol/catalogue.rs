//! Every type of frame once: what the reference page and the `AsyncAPI` document are made from. Tests compare it with what
//! is really sent and read.

use serde_json::Value;

use super::mode::SocketMode;

/// Who sends a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameSender {
    /// The server, to the client.
    Server,
    /// The client, to the server.
    Client,
}

impl FrameSender {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// A type of frame in one direction.
#[derive(Debug)]
pub(crate) struct FrameKind {
    /// What stands in `type`.
    pub(crate) name: &'static str,
    /// Who sends it.
    pub(crate) sender: FrameSender,
    /// The modes in which it is sent.
    pub(crate) modes: &'static [SocketMode],
    /// Whether it is a durable event, which has a position and is replayed.
    pub(crate) durable: bool,
    /// Whether it is about one session.
    pub(crate) about: About,
    /// The schema of what stands in `data`.
    pub(crate) data: &'static str,
    /// What it means.
    pub(crate) meaning: &'static str,
    /// How it looks in the last mode but multiplexed; there it has `sessionId` too.
    pub(crate) example: &'static str,
}

/// Whether a frame is about one session, which it names on a socket of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Always.
    Session,
    /// Sometimes.
    SessionOrSocket,
    /// Never.
    Socket,
}

impl FrameKind {
    /// How it looks in a mode.
    pub(crate) fn example_of(&self, mode: SocketMode) -> Value {
        let text = if mode == SocketMode::Multiplexed { self.multiplexed_example() } else { self.example.to_owned() };
        let mut example: Value = serde_json::from_str(&text).unwrap_or_default();
        if let (SocketMode::Base, Some(fields)) = (mode, example.as_object_mut()) {
            fields.retain(|name, _| name == "type" || name == "data");
        }
        example
    }

    /// How it looks on a socket of many sessions: with the session behind its type.
    pub(crate) fn multiplexed_example(&self) -> String {
        if self.about != About::Session {
            return self.example.to_owned();
        }
        let head = format!(r#"{{"type":"{}","#, self.name);
        self.example.replacen(&head, &format!(r#"{head}"sessionId":"{EXAMPLE_SESSION}","#), 1)
    }

    /// Whether it may have the idempotency key of a message beside it.
    pub(crate) fn may_have_key(&self) -> bool {
        self.durable && self.name == "message"
    }

    /// Whether `data` may be left out.
    pub(crate) fn may_lack_data(&self) -> bool {
        self.sender == FrameSender::Client && matches!(self.name, "heartbeat" | "subscribe" | "unsubscribe")
    }
}

const EXAMPLE_SESSION: &str = "019370d0-6e1b-7c40-8a52-1f0e5d1f7a11";

const ALL: &[SocketMode] = &[SocketMode::Base, SocketMode::Extended, SocketMode::Multiplexed];
const CHAT_V1: &[SocketMode] = &[SocketMode::Extended, SocketMode::Multiplexed];
const EXTENDED: &[SocketMode] = &[SocketMode::Extended];
const MULTIPLEXED: &[SocketMode] = &[SocketMode::Multiplexed];

/// All types, in the order of the reference.
pub(crate) const FRAMES: &[FrameKind] = &[
    FrameKind {
        name: "hello",
        sender: FrameSender::Server,
        modes: EXTENDED,
        durable: false,
        about: About::Socket,
        data: "Hello",
        meaning: "The first frame. With `resumed`, the frames after it continue from `since` or `after` without a gap; \
            else `reason` says why not, and nothing is replayed: the client reads the messages over REST, then goes on \
            with what comes here. `seq` is the position of the newest change when the socket was opened.",
        example: r#"{"type":"hello","data":{"connectionId":"019370d3-5a10-7e21-9c0d-3f2b1a0e9d88","sessionId":"019370d0-6e1b-7c40-8a52-1f0e5d1f7a11","userId":"alice","epoch":"0193a1b27c4d7e5f8a6b9c0d1e2f3a4b","seq":17,"resumed":false,"reason":"fresh","replayed":0,"heartbeatMs":25000,"maxFrameBytes":16384,"tokenExpiresAt":"2026-01-31T10:05:00.000Z","serverTime":"2026-01-31T09:05:01.000Z"}}"#,
    },
    FrameKind {
        name: "hello",
        sender: FrameSender::Server,
        modes: MULTIPLEXED,
        durable: false,
        about: About::Socket,
        data: "MultiplexedHello",
        meaning: "The first frame. Nothing is subscribed yet.",
        example: r#"{"type":"hello","data":{"connectionId":"019370d3-5a10-7e21-9c0d-3f2b1a0e9d88","userId":"bob","role":"agent","heartbeatMs":25000,"maxFrameBytes":16384,"maxSubscriptions":100,"tokenExpiresAt":"2026-01-31T10:05:00.000Z","serverTime":"2026-01-31T09:05:01.000Z"}}"#,
    },
    FrameKind {
        name: "subscribed",
        sender: FrameSender::Server,
        modes: MULTIPLEXED,
        durable: false,
        about: About::Session,
        data: "Subscribed",
        meaning: "The subscription has begun: no frame of the session comes before this one, and what follows is what a \
            socket of the session would send behind its `hello`, whose fields these are.",
        example: r#"{"type":"subscribed","data":{"seq":17,"epoch":"0193a1b27c4d7e5f8a6b9c0d1e2f3a4b","resumed":true,"replayed":3}}"#,
    },
    FrameKind {
        name: "unsubscribed",
        sender: FrameSender::Server,
        modes: MULTIPLEXED,
        durable: false,
        about: About::Session,
        data: "Unsubscribed",
        meaning: "The subscription has ended, or was not begun; no frame of the session follows. `code` is 1000 if it was \
            asked for, 4403 if the session is not the person's to see, 4404 if there is none of this id, 4409 if the same \
            person has more sockets in the session and subscriptions to it than are allowed, and this was the oldest, 1011 or \
            1013 if it could not be read: subscribe again with `since` after a growing delay. The socket lives on.",
        example: r#"{"type":"unsubscribed","data":{"code":4403,"reason":"access lost"}}"#,
    },
    FrameKind {
        name: "inbox",
        sender: FrameSender::Server,
        modes: MULTIPLEXED,
        durable: false,
        about: About::Socket,
        data: "InboxSnapshot",
        meaning: "A view of the inbox as it was when the inbox was opened, one frame for each view: what \
            `GET /api/chat/inbox` returns for it, where the pages behind `nextCursor` are read.",
        example: r#"{"type":"inbox","data":{"view":"waiting","items":[],"counts":{"mine":1,"mineUnread":2,"waiting":0,"longestWaitingSince":null},"nextCursor":null}}"#,
    },
    FrameKind {
        name: "inbox_update",
        sender: FrameSender::Server,
        modes: MULTIPLEXED,
        durable: false,
        about: About::Session,
        data: "InboxUpdate",
        meaning: "A session of a view as it is now, or with `null` that it is not in the view. It is about the whole \
            view, not only about the page that was sent. Updates are states and not steps: the newest one counts, and of a \
            session and a view at most two a second are sent. One may repeat what the client has, or say \
            `null` of a session that the client does not show: then it brings the `counts`, which a session of a view that is not \
            open has changed.",
        example: r#"{"type":"inbox_update","data":{"view":"waiting","item":null,"counts":{"mine":1,"mineUnread":2,"waiting":0,"longestWaitingSince":null}}}"#,
    },
    FrameKind {
        name: "message",
        sender: FrameSender::Server,
        modes: ALL,
        durable: true,
        about: About::Session,
        data: "ChatMessage",
        meaning: "A message was added, as it was when it was sent. All sockets of the session get it, those of the sender \
            too; in extended mode the sender's own also get the `idempotencyKey` that it was sent with, if any.",
        example: r#"{"type":"message","seq":18,"idempotencyKey":"b7c1","data":{"id":"019370d1-2f6c-7b21-b7a4-93a1c5a0e3f2","seq":18,"content":"Where is my parcel?","sender":"user","author":{"id":"alice","name":"Alice Liddell"},"timestamp":"2026-01-31T09:05:02.007Z","read":false,"status":"sent"}}"#,
    },
    FrameKind {
        name: "session_update",
        sender: FrameSender::Server,
        modes: ALL,
        durable: true,
        about: About::Session,
        data: "ChatSession",
        meaning: "The session was opened, assigned, transferred, updated or closed; this is how it is now. An agent whom the change \
            takes the session from gets it too, and then 4403.",
        example: r#"{"type":"session_update","seq":19,"data":{"id":"019370d0-6e1b-7c40-8a52-1f0e5d1f7a11","userId":"alice","agentId":"bob","user":{"id":"alice","name":"Alice Liddell"},"agent":{"id":"bob","name":"Bob"},"status":"active","startedAt":"2026-01-31T09:05:00.120Z","endedAt":null,"subject":"My order is late","priority":"medium","tags":["orders"]}}"#,
    },
    FrameKind {
        name: "receipt",
        sender: FrameSender::Server,
        modes: CHAT_V1,
        durable: true,
        about: About::Session,
        data: "ChatReceiptEvent",
        meaning: "The messages `messageIds` have come one stage further; `upToSeq` is the position of the newest of them. A \
            receipt for an `ack` or `read` of a socket names all that `userId` did not write up to there, and comes at most \
            once a second for each stage and person. One for `PUT …/read`, which may name single messages, may leave earlier ones \
            unread, and comes at once.",
        example: r#"{"type":"receipt","seq":20,"data":{"userId":"bob","status":"read","upToSeq":18,"messageIds":["019370d1-2f6c-7b21-b7a4-93a1c5a0e3f2"],"timestamp":"2026-01-31T09:05:04.250Z"}}"#,
    },
    FrameKind {
        name: "typing",
        sender: FrameSender::Server,
        modes: ALL,
        durable: false,
        about: About::Session,
        data: "ChatTypingEvent",
        meaning: "Someone else started or stopped typing. At most once, never replayed. At most one change of a \
            person in 2 seconds is sent; what comes sooner waits, and the last state always arrives. The server itself \
            says that they stopped after 10 seconds of silence, when they leave, and right behind a message of theirs.",
        example: r#"{"type":"typing","data":{"userId":"bob","isTyping":true,"timestamp":"2026-01-31T09:05:01.500Z"}}"#,
    },
    FrameKind {
        name: "heartbeat",
        sender: FrameSender::Server,
        modes: EXTENDED,
        durable: false,
        about: About::Socket,
        data: "Heartbeat",
        meaning: "Every `heartbeatMs`, and in place of a durable event of a kind that this server does not know, since a \
            newer version wrote it. Everything up to `seq` was sent or is of such a kind: a client moves its own \
            position there, and has lost something on its own side when it lacks an event for another reason.",
        example: r#"{"type":"heartbeat","data":{"seq":20,"serverTime":"2026-01-31T09:05:26.000Z"}}"#,
    },
    FrameKind {
        name: "heartbeat",
        sender: FrameSender::Server,
        modes: MULTIPLEXED,
        durable: false,
        about: About::SessionOrSocket,
        data: "MultiplexedHeartbeat",
        meaning: "Every `heartbeatMs`. With a session and `seq` it stands in place of a durable event of a kind that this \
            server does not know, since a newer version wrote it: a client moves its own position there.",
        example: r#"{"type":"heartbeat","data":{"serverTime":"2026-01-31T09:05:26.000Z"}}"#,
    },
    FrameKind {
        name: "auth_expiring",
        sender: FrameSender::Server,
        modes: CHAT_V1,
        durable: false,
        about: About::Socket,
        data: "TokenExpiry",
        meaning: "The token ends in a minute, or in less where less is left already, and the socket with it unless an `auth` comes before.",
        example: r#"{"type":"auth_expiring","data":{"expiresAt":"2026-01-31T10:05:00.000Z"}}"#,
    },
    FrameKind {
        name: "auth_ok",
        sender: FrameSender::Server,
        modes: CHAT_V1,
        durable: false,
        about: About::Socket,
        data: "TokenExpiry",
        meaning: "The answer to `auth`: the new token counts from now on. One with a lower role counted since the `auth`.",
        example: r#"{"type":"auth_ok","data":{"expiresAt":"2026-01-31T11:05:00.000Z"}}"#,
    },
    FrameKind {
        name: "error",
        sender: FrameSender::Server,
        modes: CHAT_V1,
        durable: false,
        about: About::SessionOrSocket,
        data: "SocketError",
        meaning: "What a frame of the client asked for was not done, with a code of the [error reference](errors.md) and \
            the `ref` of that frame; on a socket of many sessions its type where it has no `ref`, and the session if it is \
            about one. The socket lives on.",
        example: r#"{"type":"error","data":{"code":"VALIDATION_FAILED","message":"seq must not be ahead of what was sent on this socket","ref":"c-42"}}"#,
    },
    FrameKind {
        name: "subscribe",
        sender: FrameSender::Client,
        modes: MULTIPLEXED,
        durable: false,
        about: About::Session,
        data: "SubscribeFrom",
        meaning: "Subscribe to a session. The answer is `subscribed` or `unsubscribed`, in any order with those of other \
            sessions. With `since` what was missed comes first. `data` may be left out. A session that is subscribed \
            already, or being subscribed, is `error` with `ALREADY_SUBSCRIBED`: to begin it again, end it first. One more \
            than `maxSubscriptions` is `error` with `TOO_MANY_SUBSCRIPTIONS`.",
        example: r#"{"type":"subscribe","data":{"since":17,"epoch":"0193a1b27c4d7e5f8a6b9c0d1e2f3a4b"},"ref":"c-40"}"#,
    },
    FrameKind {
        name: "unsubscribe",
        sender: FrameSender::Client,
        modes: MULTIPLEXED,
        durable: false,
        about: About::Session,
        data: "NoData",
        meaning: "End the subscription to a session, also one that has not begun. The answer is `unsubscribed` with 1000, or \
            `error` with `NOT_SUBSCRIBED`, which every frame about a session without a subscription gets.",
        example: r#"{"type":"unsubscribe","ref":"c-41"}"#,
    },
    FrameKind {
        name: "open_inbox",
        sender: FrameSender::Client,
        modes: MULTIPLEXED,
        durable: false,
        about: About::Socket,
        data: "OpenInbox",
        meaning: "Open the inbox with these views, in place of one that is open already. The answer is an `inbox` for each \
            view, and `inbox_update` from then on; or `error`, and then no inbox is open. Nothing is resumed: after a lost \
            connection it is opened again. `limit` is how many items an `inbox` has at most, 50 by default; more than 100 \
            count as 100. It takes one from the budget of `subscribe`. A person has 10 inboxes open on a server at most: one \
            more closes the socket of the oldest with 4409.",
        example: r#"{"type":"open_inbox","data":{"views":["mine","waiting"],"limit":50},"ref":"c-39"}"#,
    },
    FrameKind {
        name: "ack",
        sender: FrameSender::Client,
        modes: CHAT_V1,
        durable: false,
        about: About::Session,
        data: "UpToPosition",
        meaning: "Every durable event up to `seq` has arrived: messages of the other side count as *delivered*. `seq` must \
            have been sent on this socket. One a second is enough.",
        example: r#"{"type":"ack","data":{"seq":20},"ref":"c-42"}"#,
    },
    FrameKind {
        name: "read",
        sender: FrameSender::Client,
        modes: CHAT_V1,
        durable: false,
        about: About::Session,
        data: "UpToPosition",
        meaning: "The person has read everything up to `seq`, which must have been sent on this socket. One a second is \
            enough.",
        example: r#"{"type":"read","data":{"seq":20}}"#,
    },
    FrameKind {
        name: "typing",
        sender: FrameSender::Client,
        modes: CHAT_V1,
        durable: false,
        about: About::Session,
        data: "TypingState",
        meaning: "The person starts or stops typing; `true` is repeated within 10 seconds while they go on. \
            A message ends the typing of its sender, who need not say so.",
        example: r#"{"type":"typing","data":{"isTyping":true}}"#,
    },
    FrameKind {
        name: "heartbeat",
        sender: FrameSender::Client,
        modes: CHAT_V1,
        durable: false,
        about: About::Socket,
        data: "ClientHeartbeat",
        meaning: "The client is alive. Needed only where pings of the server are not answered by the client's library; \
            `data` may be left out.",
        example: r#"{"type":"heartbeat","data":{"seq":20}}"#,
    },
    FrameKind {
        name: "auth",
        sender: FrameSender::Client,
        modes: CHAT_V1,
        durable: false,
        about: About::Socket,
        data: "NewToken",
        meaning: "A newer token of the same person. The answer is `auth_ok`, or `error`: then the old token counts until \
            it ends.",
        example: r#"{"type":"auth","data":{"token":"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl"}}"#,
    },
];
