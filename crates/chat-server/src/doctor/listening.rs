//! Whether the node can listen on its addresses.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

use super::Diagnosis;
use crate::config::{AdminListen, Config};

/// The address of the API, and the admin address if there is one.
pub(super) fn check(config: &Config) -> Vec<Diagnosis> {
    let mut found = vec![examine("listen address", config.listen, "--listen (CHAT_LISTEN)")];
    if let AdminListen::At(address) = config.admin_listen {
        found.push(examine("admin address", address, "--admin-listen (CHAT_ADMIN_LISTEN)"));
    }
    found
}

fn examine(check: &'static str, address: SocketAddr, option: &str) -> Diagnosis {
    match try_to_bind(address) {
        Ok(()) => Diagnosis::ok(check, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Diagnosis::warn(
            check,
            format!("{address} is in use"),
            format!("the node runs already, or another program has the address: choose another with {option}"),
        ),
        Err(error) => Diagnosis::fail(
            check,
            format!("cannot listen on {address}: {error}"),
            format!("choose an address of this machine, and a port that the user of the node may use, with {option}"),
        ),
    }
}

/// Takes the address, and does not listen on it, so that a node that starts at this moment can take it too.
fn try_to_bind(address: SocketAddr) -> io::Result<()> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None)?;
    // As the listener of the node: connections that have ended do not count.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    Ok(bind(&socket, &address)?)
}
