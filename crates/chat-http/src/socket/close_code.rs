//! Why the server closes a socket: the one table, which `docs/reference/websocket.md` is rendered from.

use std::fmt::Write;

macro_rules! close_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $reason:literal, $action:literal;)+) => {
        /// Why the server closes a socket.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CloseCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl CloseCode {
            /// Every code, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The number in the close frame (RFC 6455, 7.4).
            pub fn number(self) -> u16 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The reason in the close frame: ASCII, and nothing a user wrote.
            pub fn reason(self) -> &'static str {
                match self { $(Self::$variant => $reason,)+ }
            }

            /// What the client does then.
            pub fn action(self) -> &'static str {
                match self { $(Self::$variant => $action,)+ }
            }

            /// What it means, for the reference.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii_start(),)+ }
            }
        }
    };
}

close_codes! {
    /// The client closed the socket, and this is the answer.
    Done = 1000, "done", "nothing";
    /// This node shuts down.
    GoingAway = 1001, "draining", "connect again after a random delay of up to some seconds, with `since` or `after`";
    /// The client broke the WebSocket protocol.
    ProtocolError = 1002, "protocol error", "stop: it is a fault of the client";
    /// A frame was larger than 16 KiB.
    TooLarge = 1009, "frame too large", "stop: it is a fault of the client";
    /// Something failed on our side.
    Internal = 1011, "internal error", "connect again after a growing delay, with `since` or `after`";
    /// The token has expired.
    TokenExpired = 4401, "token expired", "get a new token, then connect again with `since` or `after`";
    /// The caller may not see the session any more.
    AccessLost = 4403, "access lost", "stop";
    /// The client answered no ping for too long.
    Silent = 4408, "no sign of life", "connect again with `since` or `after`";
    /// The client did not take what was sent for too long.
    TooSlow = 4413, "too slow", "connect again with `since` or `after`";
    /// The client sent too many frames.
    TooManyFrames = 4429, "30", "wait the seconds in the reason, then connect again";
}

/// The reference document of the socket, in Markdown.
pub fn websocket_reference() -> String {
    let mut page = String::from(
        "# The socket\n\n\
         <!-- Rendered from crates/chat-http/src/socket/close_code.rs by `cargo xtask docs`. Do not edit. -->\n\n\
         `GET /ws/chat/{sessionId}` with `Authorization: Bearer <token>`. Frames are text, `{\"type\", \"data\"}`:\n\n\
         | `type` | `data` | durable |\n|---|---|---|\n\
         | `message` | a `ChatMessage`, as in *Get messages* | yes |\n\
         | `session_update` | a `ChatSession`, as in *Get session* | yes |\n\
         | `typing` | `{\"userId\", \"isTyping\", \"timestamp\"}` | no: at most once, never replayed |\n\n\
         Durable frames come in the order of the session's events, without gap or repetition. `since=<position>` (the\n\
         header `X-Chat-Seq` of *Get messages*) or `after=<messageId>` sends first what was missed, at most 1,000\n\
         events; beyond that the answer is 410, and the client reads the messages and connects again.\n\n\
         The server pings. A pong says that all frames before its ping have arrived: a message of the other side\n\
         counts as *delivered* then. Data frames of a client are ignored. All its frames but the answers to pings count\n\
         towards 40 at once and 120 a minute. A socket ends with its token; the right to see the session is checked at\n\
         each of its changes and every minute. A closed session may be watched on, but nothing comes any more.\n\n\
         ## Close codes\n\n\
         | code | reason | meaning | what the client does |\n|---|---|---|---|\n",
    );
    for code in CloseCode::ALL {
        // Writing to a String cannot fail.
        let _infallible =
            writeln!(page, "| {} | `{}` | {} | {} |", code.number(), code.reason(), code.meaning(), code.action());
    }
    page
}
