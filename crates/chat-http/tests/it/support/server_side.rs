//! What the kernel has of a server's connections (`proc_net_tcp(5)`), which no client sees.

use std::fs;
use std::time::Duration;

use super::TestApp;

/// States of a socket that is no open connection.
const TIME_WAIT: &str = "06";
const LISTEN: &str = "0A";

/// How many descriptors the server has open for connections.
fn open_connections(app: &TestApp) -> usize {
    let port: u16 = app.base.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    let ours = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").expect("the table of connections");
    let held = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Without an inode it has left the process, and only the kernel still has to do with it.
        fields[1].ends_with(&ours) && ![TIME_WAIT, LISTEN].contains(&fields[3]) && fields[9] != "0"
    };
    table.lines().skip(1).filter(held).count()
}

/// Waits until the server holds this many connections: the kernel does not announce when one is closed.
pub(crate) async fn until_connections_are(app: &TestApp, wanted: usize) {
    let reached = async {
        while open_connections(app) != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), reached).await;
    assert!(in_time.is_ok(), "{} connections are open, not {wanted}", open_connections(app));
}
