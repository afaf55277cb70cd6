//! Light sockets in numbers at the first server of a cluster.

use std::time::Duration;

use chat_loadgen::fleet::{FleetPlan, Reading, SOCKETS_OF_A_PERSON};
use chat_loadgen::http::Target;
use chat_loadgen::socket::{self, ClientSocketMode};
use chat_loadgen::token::TokenRole;

use super::cluster::Cluster;

/// Handshakes at the same time.
const AT_ONCE: usize = 32;
/// How long one may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// Where the first server is.
pub(super) fn target(cluster: &Cluster) -> Target {
    Target::parse(&cluster.node(0).url("")).unwrap()
}

/// So many sockets, spread over the sessions, in the names of as many admins as it takes; `name` begins their names.
/// A socket that is lost stays lost.
pub(super) fn plan(
    cluster: &Cluster,
    sessions: &[String],
    name: &str,
    sockets: usize,
    mode: ClientSocketMode,
    reading: Reading,
) -> FleetPlan {
    FleetPlan {
        nodes: vec![target(cluster)],
        tokens: FleetPlan::tokens_for(cluster.tokens(), TokenRole::Admin, name, sockets).unwrap(),
        sockets_of_a_person: SOCKETS_OF_A_PERSON,
        paths: sessions.iter().map(|session| socket::path(session, "")).collect(),
        sockets,
        mode,
        reading,
        acknowledge: false,
        reopen: false,
        at_once: AT_ONCE,
        timeout: HANDSHAKE_LIMIT,
        multiplexed: None,
    }
}
