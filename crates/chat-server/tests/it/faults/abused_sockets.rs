//! Clients that come and go in the middle of a handshake, and clients that claim more than anybody may send: nothing of
//! them stays.

use std::time::Duration;

use chat_loadgen::abuse::{AbortPlan, Ending, Flood, FloodPlan, Phase, abort, flood};
use chat_loadgen::fleet::FleetPlan;
use chat_loadgen::socket::{self, Mode};
use chat_loadgen::token::Role;
use test_postgres::TestDatabase;
use tokio::task::LocalSet;

use super::cluster::Cluster;
use super::fleets::target;
use super::process::{FIXED_CONNECTIONS, Held, MIB, forget_peak, peak};
use super::short_or_long;
use crate::support::{PATIENCE, Scrape};

/// After so many cycles the server has what it keeps for good, such as the threads' own memory.
const WARM_UP: usize = 2_000;
/// What it may take afterwards, of what it took before.
const GROWTH_PERCENT: u64 = 105;

/// Runs cycles in both modes.
#[expect(clippy::print_stdout, reason = "the figures of a test")]
async fn cycles(cluster: &Cluster, session: &str, cycles: usize) {
    for mode in [Mode::Base, Mode::Extended] {
        let plan = AbortPlan {
            target: target(cluster),
            path: socket::path(session, ""),
            token: cluster.token("alice", Role::User),
            mode,
            cycles: cycles / 2,
            at_once: 8,
            phases: Phase::ALL.to_vec(),
            ending: Ending::Both,
            timeout: Duration::from_secs(10),
        };
        let report = abort(plan, |_, _| {}).await.unwrap();
        println!("{report:?}");
        // Every phase was reached, and not only tried.
        assert!(report.stopped_short.is_empty(), "{report:?}");
        assert_eq!(report.phases.len(), Phase::ALL.len(), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn connections_that_are_aborted_in_any_phase_leave_nothing_behind() {
    let count = short_or_long(10_000, 100_000);
    let cluster = Cluster::start(1, TestDatabase::empty(), FIXED_CONNECTIONS).await;
    let session = cluster.open_sessions(1).await.remove(0);
    let server = cluster.node(0);
    let nobody = Held::by(server).await;
    let is_idle = |held: &Held| held.is_nobody() && held.descriptors <= nobody.descriptors;
    LocalSet::new().run_until(cycles(&cluster, &session, WARM_UP)).await;
    let (_, before) = Held::until(server, PATIENCE, is_idle).await.unwrap_or_else(|held| panic!("{held:?}"));
    LocalSet::new().run_until(cycles(&cluster, &session, count)).await;
    let (_, after) = Held::until(server, PATIENCE, is_idle).await.unwrap_or_else(|held| panic!("{held:?}"));
    println!("idle at first: {nobody:?}; after {WARM_UP} cycles: {before:?}; after {count} more: {after:?}");
    assert!(after.memory * 100 <= before.memory * GROWTH_PERCENT, "{after:?} after {before:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn frames_that_claim_a_terabyte_are_refused_from_their_header() {
    const CLAIMS: usize = 100;
    const MOST_MEMORY: u64 = 50 * MIB;
    let cluster = Cluster::start(1, TestDatabase::empty(), &[]).await;
    let session = cluster.open_sessions(1).await.remove(0);
    let before = forget_peak(cluster.node(0));
    let plan = FloodPlan {
        target: target(&cluster),
        path: socket::path(&session, ""),
        tokens: FleetPlan::people(cluster.tokens(), Role::Admin, "claim", CLAIMS).unwrap(),
        mode: Mode::Extended,
        flood: Flood::Claim(1 << 40),
        sockets: CLAIMS,
        timeout: PATIENCE,
    };
    let report = LocalSet::new().run_until(flood(plan)).await.unwrap();
    let grown = peak(cluster.node(0)).saturating_sub(before);
    println!("{report:?}; the server took {} KiB more", grown / 1024);
    // A client that writes on and on may have its connection reset before it reads why.
    assert_eq!(report.ends.get("survived"), None, "{report:?}");
    let refused = Scrape::of(cluster.node(0)).await;
    assert_eq!(refused.value(r#"chat_sockets_closed_total{code="1009"}"#), CLAIMS.to_string());
    assert!(grown <= MOST_MEMORY, "{grown} bytes more");
    let gone = Held::until(cluster.node(0), PATIENCE, Held::is_nobody).await;
    gone.unwrap_or_else(|held| panic!("{held:?}"));
}
