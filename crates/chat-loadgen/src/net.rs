//! TCP connections in numbers: more descriptors than a process has by default, more ports than one address has, and
//! ends by a reset.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpSocket, TcpStream};

use crate::error::LoadError;

/// Connections of one source address. The kernel has some 28,000 ports for one destination
/// (`net.ipv4.ip_local_port_range`), of which those of connections that ended a minute ago are still taken.
const CONNECTIONS_OF_AN_ADDRESS: usize = 20_000;
/// Descriptors of a process besides its connections.
const OTHER_DESCRIPTORS: u64 = 64;

/// How a connection is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConnectOptions {
    /// Which of a run's connections this is: decides about the source address.
    pub(crate) number: usize,
    /// Bytes that the kernel keeps of what is not read; its default when there is none.
    pub(crate) receive_buffer: Option<u32>,
}

/// Connects, without delay for small writes.
pub(crate) async fn connect(address: SocketAddr, options: ConnectOptions) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bytes) = options.receive_buffer {
        // Before connecting: the window that the handshake announces follows from it.
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(source) = source_address(address, options.number) {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Of the loopback network, every address is our own; elsewhere there is one, and the kernel chooses it.
fn source_address(address: SocketAddr, number: usize) -> Option<IpAddr> {
    let further = u8::try_from(number / CONNECTIONS_OF_AN_ADDRESS).ok()?;
    let is_loopback = matches!(address.ip(), IpAddr::V4(ip) if ip.is_loopback());
    (is_loopback && further > 0).then(|| IpAddr::V4(Ipv4Addr::new(127, 0, 1, further)))
}

/// Ends a connection by a reset instead of the end of its stream; no port is held afterwards.
pub(crate) fn reset(stream: TcpStream) {
    // If it fails, the connection ends in the ordinary way, which is an end too.
    let _ordinary = stream.set_zero_linger();
    drop(stream);
}

/// Raises the limit of open files so that so many connections can be open at the same time.
///
/// # Errors
/// The process may not have so many; the text says how to allow it.
pub(crate) fn allow_connections(count: usize) -> Result<(), LoadError> {
    let needed = OTHER_DESCRIPTORS + count as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(maximum) = limit.maximum.filter(|maximum| *maximum < needed) {
        return Err(LoadError::setup(format!(
            "{count} connections need {needed} open files, and a process here may have {maximum}: allow more with \
             `ulimit -n`"
        )));
    }
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum });
    raised.map_err(|error| LoadError::io(format!("open {needed} files"))(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_many_connections_to_this_machine_come_from_several_addresses() {
        let (here, there) = (SocketAddr::from(([127, 0, 0, 1], 80)), SocketAddr::from(([192, 0, 2, 1], 80)));
        assert_eq!((source_address(here, 19_999), source_address(there, 100_000)), (None, None));
        assert_eq!(source_address(here, 20_000), Some(IpAddr::from([127, 0, 1, 1])));
        assert_eq!(source_address(here, 99_999), Some(IpAddr::from([127, 0, 1, 4])));
    }
}
