//! Why nothing more can be received.

use std::io;

use thiserror::Error;

/// Why nothing more can be received on a connection.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// The client broke a rule of the protocol, which is named (RFC 6455 §7.4.1, code 1002).
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// A frame or message is larger than the limit, or in more fragments (code 1009).
    #[error("a frame or message above the limit")]
    TooLarge,
    /// A text message or the reason of a close is not UTF-8 (code 1007).
    #[error("text that is not UTF-8")]
    InvalidUtf8,
    /// The peer is gone without a close frame: end of the stream, a reset, an error of the network.
    #[error("the connection is lost: {0}")]
    Io(#[from] io::Error),
}
