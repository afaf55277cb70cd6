//! The modes of a socket.

/// The subprotocol (RFC 6455, 1.9) that chooses extended mode.
pub(crate) const SUBPROTOCOL: &str = "chat.v1";
/// A subprotocol entry with this prefix is no subprotocol but a bearer token in base64url, for browsers, which cannot set
/// headers on a WebSocket.
pub(crate) const TOKEN_PREFIX: &str = "base64url.bearer.chat.";

/// How a socket speaks, chosen by the client with the address and in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SocketMode {
    /// Frames are `{"type", "data"}` of three types, and the client says nothing.
    Base,
    /// `chat.v1`: greeting, positions, receipts, acknowledgements, renewal of tokens, errors.
    Extended,
    /// `chat.v1` at the address without a session: the frames of the extended mode about any number of sessions, each with
    /// its session beside it.
    Multiplexed,
}

impl SocketMode {
    /// Names the mode in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Extended => "extended",
            Self::Multiplexed => "multiplexed",
        }
    }
}
