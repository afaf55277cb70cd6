//! What the two sides of a socket say to each other: frames as JSON text, in three modes. Nothing here reads or writes a
//! socket, keeps time or decides what is allowed.
//!
//! | module | what lives there |
//! |---|---|
//! | `server_frame` | the text of everything that the server sends |
//! | `client_frame` | what a client's text means, or that it means nothing |
//! | `mode` | the modes |
//! | `encoded_frames` | the frames of one event, which all sockets share |
//! | `close_code` | why the server closes a socket |
//! | `frame_rate` | how many frames a client may send, how many subscriptions it may have |
//! | `catalogue` | every type of frame once, for the documents |
//! | `reference` | `docs/reference/websocket.md` |

mod catalogue;
mod client_frame;
mod close_code;
mod encoded_frames;
mod frame_rate;
mod mode;
mod reference;
mod server_frame;

pub(crate) use catalogue::{About, FRAMES, FrameKind, FrameSender};
pub(crate) use client_frame::{ClientCommand, ClientFrame, MalformedFrame, Reference, parse_client_frame};
pub use close_code::CloseCode;
pub(crate) use encoded_frames::EncodedFrames;
pub(crate) use frame_rate::{
    FRAME_BURST, FRAMES_PER_MINUTE, MAX_SUBSCRIPTIONS, SUBSCRIPTION_BURST, SUBSCRIPTIONS_PER_MINUTE,
};
pub(crate) use mode::{SUBPROTOCOL, SocketMode, TOKEN_PREFIX};
pub use reference::websocket_reference;
pub(crate) use server_frame::{HelloLimits, ServerFrame, encode_event};

#[cfg(test)]
mod tests;
