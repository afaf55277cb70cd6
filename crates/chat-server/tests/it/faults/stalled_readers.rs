//! A tenth of a session's readers stops to read: the others notice nothing, the server holds little for those that stall,
//! and gets rid of them.

use std::time::Duration;

use chat_loadgen::fleet::{Fleet, Reading};
use chat_loadgen::http::RequestTemplate;
use chat_loadgen::load::{self, LoadPlan, LoadRequests, StopAfter};
use chat_loadgen::measure::LatencySummary;
use chat_loadgen::socket::ClientSocketMode;
use chat_loadgen::token::TokenRole;
use test_servers::postgres::TestDatabase;
use tokio::task::{LocalSet, spawn_blocking};
use tokio::time::timeout;

use super::cluster::Cluster;
use super::fleets::{plan, target};
use super::process::{MIB, ServerResources, forget_peak, peak};
use crate::support::PATIENCE;

const READERS: usize = 1_000;
const STALLED: usize = 100;
const EVENTS_PER_SECOND: u32 = 10;
/// Frames of about 300 bytes.
const CHARACTERS: usize = 100;

/// How long is measured before some stall and after they are gone, and how long while they are there.
const ALL_READ: Duration = Duration::from_secs(20);
const SOME_STALL: Duration = Duration::from_secs(25);
const SLOWER_BY: Duration = Duration::from_millis(500);
const MOST_MEMORY: u64 = 50 * MIB;
const GONE_WITHIN: Duration = Duration::from_secs(45);

/// Sends messages at the rate for some time, and returns how long they took to reach the fleet of so many readers.
async fn events(cluster: &Cluster, session: &str, (fleet, readers): (&Fleet, usize), time: Duration) -> LatencySummary {
    let target = target(cluster);
    let token = cluster.token("alice", TokenRole::User);
    let requests = LoadRequests {
        templates: vec![RequestTemplate::message(&target, &token, CHARACTERS, None)],
        sessions: vec![session.to_owned()],
        before: Vec::new(),
        pages: 1,
    };
    let plan = LoadPlan {
        command: "send",
        target,
        requests,
        connections: 4,
        threads: 1,
        warmup: Duration::ZERO,
        stop: StopAfter::Time(time),
        rate: Some(f64::from(EVENTS_PER_SECOND)),
        timeout: Duration::from_secs(10),
        server: None,
    };
    fleet.begin_measuring();
    let report = spawn_blocking(|| load::run(plan, |_, _| {})).await.unwrap().unwrap();
    // Every message reaches every reader, however far behind the machine is; and the next part begins with empty queues.
    let due = report.succeeded * readers as u64;
    while fleet.messages() < due {
        let next = timeout(PATIENCE, fleet.until_received()).await;
        next.unwrap_or_else(|_| panic!("{} messages came of {due}", fleet.messages()));
    }
    let summary = fleet.summary();
    assert_eq!((summary.order_faults, summary.closed.len()), (0, 0), "{summary:?}");
    assert_eq!(report.succeeded, report.requests, "{report:?}");
    summary.delivery.expect("messages came")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn stalled_readers_do_not_slow_others_and_are_closed_soon() {
    let cluster = Cluster::start(1, TestDatabase::empty(), &[]).await;
    let sessions = cluster.open_sessions(1).await;
    LocalSet::new()
        .run_until(async {
            let healthy = READERS - STALLED;
            let fleet = |name, sockets, reading| {
                Fleet::launch(plan(&cluster, &sessions, name, sockets, ClientSocketMode::Extended, reading)).unwrap()
            };
            let readers = fleet("reader", healthy, Reading::Events);
            let others = fleet("other", STALLED, Reading::Events);
            readers.until_open(2 * PATIENCE).await.unwrap();
            others.until_open(2 * PATIENCE).await.unwrap();
            let before = events(&cluster, &sessions[0], (&readers, healthy), ALL_READ).await;

            drop(others);
            let memory = forget_peak(cluster.node(0));
            let stalled = fleet("stalled", STALLED, Reading::Nothing);
            stalled.until_open(2 * PATIENCE).await.unwrap();
            let only_healthy = |held: &ServerResources| held.sockets <= healthy as u64;
            let gone = ServerResources::until(cluster.node(0), GONE_WITHIN, only_healthy);
            let (gone, during) = tokio::join!(gone, events(&cluster, &sessions[0], (&readers, healthy), SOME_STALL));
            let grown = peak(cluster.node(0)).saturating_sub(memory);
            let (gone_after, held) = gone.expect("those who stall are gone in time");
            let after = events(&cluster, &sessions[0], (&readers, healthy), ALL_READ).await;
            let p99 = [&before, &during, &after].map(|times| Duration::from_micros(times.p99));
            println!(
                "p99 of {healthy} readers before, while {STALLED} others stalled, and after: {p99:?}; those were gone after \
                 {gone_after:?}; the server took {} KiB more",
                grown / 1024
            );
            assert_eq!(held.sockets, healthy as u64, "all who read are still there");
            // What the machine does besides is in all three, and at this rate it is most of each: a debug build writes
            // 10,000 frames a second on cores that also read them. Twice as slow is noise; a wait for stalled
            // readers would take seconds.
            assert!(p99[1] <= 2 * p99[0].max(p99[2]) + SLOWER_BY, "{p99:?}");
            assert!(grown <= MOST_MEMORY, "{grown} bytes more");
            drop(stalled);
        })
        .await;
}
