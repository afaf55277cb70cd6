//! From a request to the response 101: what is checked before a connection becomes a socket (RFC 6455, 4.2).
//!
//! Who asks is read in `auth`, what happens to the connection after the response in `socket`.

mod allowed_origin;
mod opening;
mod refused_origin;

pub(crate) use allowed_origin::require_allowed_origin;
pub(crate) use opening::{UPGRADE_REQUIRED, allow_takeover, require_handshake, switch_protocols};
