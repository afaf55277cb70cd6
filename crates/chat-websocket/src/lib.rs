//! WebSocket connections of a server ([RFC 6455]), on a stream that was taken over from the HTTP server.
//!
//! A chat server holds many sockets that are silent nearly all the time, and writes the same frame to many of them. So
//! here a connection is a plain value that its owner polls, and no task, channel or buffer belongs to it while it is
//! idle; a frame is encoded once and shared; and all frames that wait for a peer go out in one system call.
//!
//! | module | what lives there | I/O |
//! |---|---|---|
//! | `handshake` | whether a request opens a WebSocket, the accept value, the choice of a subprotocol | none |
//! | `takeover` | the answer to the handshake, and the stream out of the HTTP server's hands | writes the answer |
//! | `frame_head` | the header of a client's frame, and what is refused on sight of it | none |
//! | `assembly` | messages out of frames | none |
//! | `close` | what a close frame says | none |
//! | `unread` | bytes that have been read too early | none |
//! | `frame` | frames of the server, encoded | none |
//! | `outbox` | frames that wait to be written | writes |
//! | `web_socket` | the connection: all of the above on one stream | reads and writes |
//! | `parting` | the end of a stream that loses nothing that was written | writes and reads |
//!
//! It knows nothing of chats, and neither when to ping nor whom to give up: it tells its owner what came
//! ([`WebSocket::poll_recv`]: every frame, so that frames can be counted) and since when nothing went out
//! ([`WebSocket::stuck_since`]). Extensions such as compression are not spoken.
//!
//! [RFC 6455]: https://datatracker.ietf.org/doc/html/rfc6455

mod assembly;
mod close;
mod error;
mod frame;
mod frame_head;
mod handshake;
mod limits;
mod outbox;
mod parting;
mod takeover;
mod unread;
mod web_socket;

pub use assembly::Incoming;
pub use close::PeerClose;
pub use error::Broken;
pub use frame::Frame;
pub use handshake::{Handshake, HandshakeError, choose_subprotocol, offered_subprotocols};
pub use limits::Limits;
pub use parting::part;
pub use takeover::{accept, refuse};
pub use web_socket::WebSocket;
