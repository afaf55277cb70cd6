//! Free ports of the loopback address.

use std::io;
use std::net::TcpListener;
use std::ops::Range;

use crate::error::Error;

/// Ports below those that systems give to outgoing connections (32768 and above on Linux). While a server is stopped no
/// client is given its port, and a client that connects to that port is not connected to itself.
pub(crate) const BELOW_EPHEMERAL: Range<u16> = 15_000..32_000;

const ATTEMPTS: usize = 20;

/// A port of the range that is free at this moment.
pub(crate) fn free_port(range: Range<u16>) -> Result<u16, Error> {
    for _ in 0..ATTEMPTS {
        let random = getrandom::u32().map_err(|error| Error::io("choose a port")(io::Error::other(error)))?;
        let offset = random % u32::from(range.end - range.start);
        let port = u16::try_from(offset).unwrap_or_default() + range.start;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::NoPort { tried: ATTEMPTS })
}

/// Starts a server on the first port that is still free when the server listens on it: between the choice and the use
/// of a port another process may take it.
pub(crate) fn start_on_free_port<S>(
    mut choose_port: impl FnMut() -> Result<u16, Error>,
    mut start: impl FnMut(u16) -> Result<S, Error>,
) -> Result<S, Error> {
    for _ in 0..ATTEMPTS {
        match start(choose_port()?) {
            Err(Error::Failed { output, .. }) if output.contains("Address already in use") => {}
            started => return started,
        }
    }
    Err(Error::NoPort { tried: ATTEMPTS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_below_the_ephemeral_range() {
        for _ in 0..100 {
            assert!(BELOW_EPHEMERAL.contains(&free_port(BELOW_EPHEMERAL).unwrap()));
        }
    }
}
