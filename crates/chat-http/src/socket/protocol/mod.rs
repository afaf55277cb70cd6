//! What the two sides of a socket say to each other: frames as JSON text, in two modes. Nothing here reads or writes a
//! socket, keeps time or decides what is allowed.
//!
//! | module | what lives there |
//! |---|---|
//! | `server_frame` | the text of everything that the server sends |
//! | `client_frame` | what a client's text means, or that it means nothing |
//! | `catalogue` | every type of frame once, for the documents |
//! | `reference` | `docs/reference/websocket.md` |

pub(crate) mod catalogue;
mod client_frame;
mod reference;
mod server_frame;

pub(crate) use client_frame::{ClientFrame, Command, Reference, parse_client_frame};
pub use reference::websocket_reference;
pub(crate) use server_frame::{ServerFrame, encode_event};

use chat_domain::model::Form;

/// The subprotocol (RFC 6455, 1.9) that chooses extended mode.
pub(crate) const SUBPROTOCOL: &str = "chat.v1";
/// A subprotocol entry with this prefix is no subprotocol but a bearer token in base64url, for browsers, which cannot set
/// headers on a WebSocket.
pub(crate) const TOKEN_PREFIX: &str = "base64url.bearer.chat.";

/// How a socket speaks, chosen by the client in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// Frames are `{"type", "data"}` of three types, and the client says nothing.
    Base,
    /// `chat.v1`: greeting, positions, receipts, acknowledgements, renewal of tokens, errors.
    Extended,
}

impl Mode {
    /// The form in which events go out; watchers of one form share an encoding.
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Base => Form::Plain,
            Self::Extended => Form::Positioned,
        }
    }

    /// What `Sec-WebSocket-Protocol` says in the answer to the handshake.
    pub(crate) fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Base => None,
            Self::Extended => Some(SUBPROTOCOL),
        }
    }

    /// Names the mode in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Extended => "extended",
        }
    }
}

#[cfg(test)]
mod tests;
