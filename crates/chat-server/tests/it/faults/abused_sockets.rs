//! Clients that come and go in the middle of a handshake, and clients that claim more than anybody may send: nothing of
//! them stays.

use chat_loadgen::abuse::{AbortPhase, FloodFrames, FloodOptions, abort, flood};
use chat_loadgen::fleet::Reading;
use chat_loadgen::socket::ClientSocketMode;
use test_servers::postgres::TestDatabase;
use tokio::task::LocalSet;

use super::cluster::Cluster;
use super::fleets::plan;
use super::process::{FIXED_CONNECTIONS, MIB, ServerResources, forget_peak, peak};
use super::short_or_long;
use crate::support::{PATIENCE, Scrape};

/// After so many cycles the server has what it keeps for good, such as the threads' own memory.
const WARM_UP: usize = 2_000;
/// What it may take afterwards, of what it took before.
const GROWTH_PERCENT: u64 = 105;

/// Runs cycles in both modes.
#[expect(clippy::print_stdout, reason = "the figures of a test")]
async fn cycles(cluster: &Cluster, sessions: &[String], cycles: usize) {
    const AT_ONCE: usize = 8;
    for mode in [ClientSocketMode::Base, ClientSocketMode::Extended] {
        let plan = plan(cluster, sessions, "abort", AT_ONCE, mode, Reading::Nothing);
        let report = abort(plan, cycles / 2, |_, _| {}).await.unwrap();
        println!("{report:?}");
        // Every phase was reached, and not only tried.
        assert!(report.stopped_short.is_empty(), "{report:?}");
        assert_eq!(report.phases.len(), AbortPhase::ALL.len(), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn connections_that_are_aborted_in_any_phase_leave_nothing_behind() {
    let count = short_or_long(10_000, 100_000);
    let cluster = Cluster::start(1, TestDatabase::empty(), FIXED_CONNECTIONS).await;
    let sessions = cluster.open_sessions(1).await;
    let server = cluster.node(0);
    let without = ServerResources::by(server).await;
    let is_idle = |held: &ServerResources| held.is_nothing() && held.descriptors <= without.descriptors;
    LocalSet::new().run_until(cycles(&cluster, &sessions, WARM_UP)).await;
    let (_, before) = ServerResources::until(server, PATIENCE, is_idle).await.unwrap_or_else(|held| panic!("{held:?}"));
    LocalSet::new().run_until(cycles(&cluster, &sessions, count)).await;
    let (_, after) = ServerResources::until(server, PATIENCE, is_idle).await.unwrap_or_else(|held| panic!("{held:?}"));
    println!("idle at first: {without:?}; after {WARM_UP} cycles: {before:?}; after {count} more: {after:?}");
    assert!(after.memory * 100 <= before.memory * GROWTH_PERCENT, "{after:?} after {before:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn frames_that_claim_a_terabyte_are_refused_from_their_header() {
    const CLAIMS: usize = 100;
    const MOST_MEMORY: u64 = 50 * MIB;
    let cluster = Cluster::start(1, TestDatabase::empty(), &[]).await;
    let sessions = cluster.open_sessions(1).await;
    let before = forget_peak(cluster.node(0));
    let options = FloodOptions { what: FloodFrames::Claim, duration: PATIENCE };
    let plan = plan(&cluster, &sessions, "claim", CLAIMS, ClientSocketMode::Extended, Reading::Nothing);
    let report = LocalSet::new().run_until(flood(plan, &options)).await.unwrap();
    let grown = peak(cluster.node(0)).saturating_sub(before);
    println!("{report:?}; the server took {} KiB more", grown / 1024);
    // A client that writes on and on may have its connection reset before it reads why.
    assert_eq!(report.close_reasons.get("survived"), None, "{report:?}");
    let refused = Scrape::of(cluster.node(0)).await;
    assert_eq!(refused.value(r#"chat_sockets_closed_total{code="1009"}"#), CLAIMS.to_string());
    assert!(grown <= MOST_MEMORY, "{grown} bytes more");
    let gone = ServerResources::until(cluster.node(0), PATIENCE, ServerResources::is_nothing).await;
    gone.unwrap_or_else(|held| panic!("{held:?}"));
}
