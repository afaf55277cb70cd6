//! Why the server closes a socket: the one table, which the documents are made from.

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
    /// This server shuts down.
    GoingAway = 1001, "draining", "connect again after a random delay of up to some seconds, with `since`";
    /// The client broke the WebSocket protocol.
    ProtocolError = 1002, "protocol error", "stop: it is a fault of the client";
    /// In extended mode, the client sent a binary frame.
    Unsupported = 1003, "text frames only", "stop: it is a fault of the client";
    /// A text frame or a close reason of the client was not UTF-8.
    InvalidText = 1007, "text is not UTF-8", "stop: it is a fault of the client";
    /// A frame or a message was larger than the limit, or in more fragments.
    TooLarge = 1009, "frame too large", "stop: it is a fault of the client";
    /// Something failed on our side.
    Internal = 1011, "internal error", "connect again after a growing delay, with `since`";
    /// This server was already shutting down when the socket was opened.
    Restarting = 1012, "restarting", "connect again after a growing delay, with `since`";
    /// The events cannot be read at the moment.
    Overloaded = 1013, "try again later", "connect again after a growing delay, with `since`";
    /// In extended mode, a text frame of the client was not one of the protocol. The reason goes on with what is wrong.
    BadFrame = 4400, "bad frame", "stop: it is a fault of the client";
    /// The token has expired. Or an admin has signed the caller out: then the reason is `signed out`. Or the identity
    /// provider has removed the key that signed the token: then it is `key removed`.
    TokenExpired = 4401, "token expired", "get a new token, then connect again with `since`";
    /// The caller may not see the session any more, or is an agent who was deactivated. Or an admin has blocked the
    /// caller: then the reason is `blocked`.
    AccessLost = 4403, "access lost", "stop";
    /// The session does not exist any more.
    Gone = 4404, "session gone", "stop";
    /// Nothing came from the client for too long.
    Silent = 4408, "no sign of life", "connect again with `since`";
    /// The same person opened one socket more to the session than they may have, and this was the oldest.
    Replaced = 4409, "replaced by a newer socket", "stop";
    /// The client took nothing of what was sent for too long.
    TooSlow = 4413, "too slow", "connect again with `since`";
    /// The client sent too many frames.
    TooManyFrames = 4429, "too many frames; wait 30 seconds", "wait the seconds in the reason, then connect again with `since`";
}

impl CloseCode {
    /// Whether it can be about one session alone: then it ends a subscription of a socket that has others.
    pub(crate) fn is_of_session(self) -> bool {
        match self {
            Self::Done | Self::Internal | Self::Overloaded | Self::AccessLost | Self::Gone | Self::Replaced => true,
            Self::GoingAway
            | Self::ProtocolError
            | Self::Unsupported
            | Self::InvalidText
            | Self::TooLarge
            | Self::Restarting
            | Self::BadFrame
            | Self::TokenExpired
            | Self::Silent
            | Self::TooSlow
            | Self::TooManyFrames => false,
        }
    }
}
