//! WebSocket connections of a server ([RFC 6455]), on a stream that was taken over from the HTTP server.
//!
//! A chat server holds many sockets that are silent nearly all the time, and writes the same frame to many of them. So
//! here a connection is a plain value that its owner polls, and no task, channel or buffer belongs to it while it is
//! idle; a frame is encoded once and shared; and all frames that wait for a peer go out in one system call.
//!
//! The opening handshake (§4) is the HTTP server's work: `actix_ws::handle_with_protocols` checks the request and makes
//! the response 101. What follows is here:
//!
//! | module | what lives there | I/O |
//! |---|---|---|
//! | `takeover` | the response to the handshake, and the stream out of the HTTP server's hands | writes the response |
//! | `frame_header` | the header of a client's frame, and what is refused on sight of it | none |
//! | `assembly` | messages out of frames | none |
//! | `peer_close` | the content of a client's close frame | none |
//! | `read_buffer` | bytes that were read and are not parsed yet | none |
//! | `frame` | frames of the server, encoded | none |
//! | `frame_queue` | frames that wait to be written | writes |
//! | `web_socket` | the connection: all of the above on one stream | reads and writes |
//! | `lingering_close` | the end of a stream that loses nothing that was written | writes and reads |
//!
//! The crate knows nothing of chats, and neither when to ping nor when to give up a peer: it reports every frame
//! ([`WebSocket::poll_recv`]), so that frames can be counted, and since when nothing was written
//! ([`WebSocket::stalled_since`]). Extensions such as compression are not supported.
//!
//! [RFC 6455]: https://datatracker.ietf.org/doc/html/rfc6455

mod assembly;
mod error;
mod frame;
mod frame_header;
mod frame_limits;
mod frame_queue;
mod lingering_close;
mod peer_close;
mod read_buffer;
mod takeover;
mod web_socket;

pub use assembly::Incoming;
pub use error::ReceiveError;
pub use frame::Frame;
pub use frame_limits::FrameLimits;
pub use lingering_close::lingering_close;
pub use peer_close::PeerClose;
pub use takeover::{accept, refuse};
pub use web_socket::WebSocket;

#[cfg(test)]
mod tests;
