//! TCP connections in numbers: more descriptors than a process has by default, more ports than one address has, and
//! endings that leave no trace behind.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpSocket, TcpStream};

use crate::error::LoadError;
use crate::http::Target;

/// Connections of one source address. The kernel gives out some 28,000 ports for one destination
/// (`net.ipv4.ip_local_port_range`), of which those of connections that ended a minute ago are still taken.
const CONNECTIONS_OF_AN_ADDRESS: usize = 20_000;
/// Descriptors of a process besides its connections.
const OTHER_DESCRIPTORS: u64 = 64;

/// Where a service is: the addresses of its nodes, which may move while a run goes on. Clones are the same list.
#[derive(Clone, Debug)]
pub struct Targets(Arc<Mutex<Vec<Target>>>);

impl Targets {
    /// These nodes.
    pub fn new(nodes: Vec<Target>) -> Self {
        Self(Arc::new(Mutex::new(nodes)))
    }

    /// Says where a node is from now on, by its place in the list; beyond its end nothing happens.
    pub fn replace(&self, node: usize, target: Target) {
        if let Some(place) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(node) {
            *place = target;
        }
    }

    /// The nodes in turn; `None` when there is none.
    pub fn get(&self, turn: usize) -> Option<Target> {
        let nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.get(turn % nodes.len().max(1)).cloned()
    }
}

impl From<Target> for Targets {
    fn from(target: Target) -> Self {
        Self::new(vec![target])
    }
}

/// How a connection is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dial {
    /// Which of a run's connections this is: decides about the source address.
    pub(crate) number: usize,
    /// Bytes that the kernel keeps for us when we do not read; its default when there is none.
    pub(crate) receive_buffer: Option<u32>,
}

/// Connects, without delay for small writes.
pub(crate) async fn connect(address: SocketAddr, dial: Dial) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bytes) = dial.receive_buffer {
        // Before connecting: the window that the handshake announces follows from it.
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(source) = source(address, dial.number) {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Of the loopback network, every address is our own; elsewhere there is one, and the kernel chooses it.
fn source(address: SocketAddr, number: usize) -> Option<IpAddr> {
    let further = u8::try_from(number / CONNECTIONS_OF_AN_ADDRESS).ok()?;
    let is_loopback = matches!(address.ip(), IpAddr::V4(ip) if ip.is_loopback());
    (is_loopback && further > 0).then(|| IpAddr::V4(Ipv4Addr::new(127, 0, 1, further)))
}

/// Ends a connection by a reset instead of a farewell; no port is held afterwards.
pub(crate) fn reset(stream: TcpStream) {
    // Without it the connection ends in the ordinary way, which is an end too.
    let _ordinary = stream.set_zero_linger();
    drop(stream);
}

/// Makes room for so many connections at the same time.
///
/// # Errors
/// The process may not have so many; the text says how to allow it.
pub(crate) fn allow_connections(count: usize) -> Result<(), LoadError> {
    let needed = OTHER_DESCRIPTORS + count as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        return Err(LoadError::setup(format!(
            "{count} connections need {needed} open files, and a process here may have {}: allow more with `ulimit -n`",
            limit.maximum.unwrap_or_default()
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
        assert_eq!((source(here, 19_999), source(there, 100_000)), (None, None));
        assert_eq!(source(here, 20_000), Some(IpAddr::from([127, 0, 1, 1])));
        assert_eq!(source(here, 99_999), Some(IpAddr::from([127, 0, 1, 4])));
    }

    #[test]
    fn a_node_that_moved_is_found_at_its_new_address() {
        let at = |port: u16| Target::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let targets = Targets::new(vec![at(1), at(2)]);
        targets.clone().replace(1, at(3));
        assert_eq!((targets.get(0), targets.get(1), targets.get(2)), (Some(at(1)), Some(at(3)), Some(at(1))));
        assert_eq!(Targets::new(Vec::new()).get(0), None);
    }
}
