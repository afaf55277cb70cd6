//! A tenth of a session's readers stops to read: the others notice nothing, the server holds little for those that stall,
//! and gets rid of them.

use std::sync::Arc;
use std::time::Duration;

use chat_loadgen::fleet::{Fleet, Reading};
use chat_loadgen::http::Template;
use chat_loadgen::load::{self, Plan, Stop, Work};
use chat_loadgen::measure::Latency;
use chat_loadgen::socket::Mode;
use chat_loadgen::token::Role;
use test_postgres::TestDatabase;
use tokio::task::{LocalSet, spawn_blocking};

use super::cluster::Cluster;
use super::fleets::{plan, target};
use super::process::{Held, MIB, forget_peak, peak};
use crate::support::PATIENCE;

const READERS: usize = 1_000;
const STALLED: usize = 100;
const EVENTS_PER_SECOND: u32 = 20;
/// Frames of about 300 bytes.
const CHARACTERS: usize = 100;

/// How long is measured with all reading, and then with some stalled.
const MEASURED: Duration = Duration::from_secs(25);
const SLOWER_BY: Duration = Duration::from_millis(20);
const MOST_MEMORY: u64 = 50 * MIB;
const GONE_WITHIN: Duration = Duration::from_secs(45);

/// Sends messages at the rate for the time, and answers how long they took to reach the fleet, and how many did.
async fn events(cluster: &Cluster, session: &str, fleet: &Fleet) -> (Latency, u64) {
    let target = target(cluster);
    let token = cluster.token("alice", Role::User);
    let template = Template::message(&target, &token, CHARACTERS, None);
    let work = Work { templates: vec![template], sessions: vec![session.to_owned()], before: Vec::new(), pages: 1 };
    let plan = Plan {
        command: "send",
        target,
        work: Arc::new(work),
        connections: 4,
        threads: 1,
        warmup: Duration::ZERO,
        stop: Stop::After(MEASURED),
        rate: Some(f64::from(EVENTS_PER_SECOND)),
        timeout: Duration::from_secs(10),
        server: None,
        progress: false,
    };
    fleet.begin_measuring();
    let report = spawn_blocking(|| load::run(plan)).await.unwrap().unwrap();
    let seen = fleet.seen();
    assert_eq!((seen.order_faults, seen.ends.len()), (0, 0), "{:?} {:?}", seen.first_faults, seen.ends);
    assert_eq!(report.succeeded, report.requests, "{report:?}");
    (seen.delivery.expect("messages came"), seen.messages)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn readers_that_stall_slow_nobody_down_hold_little_and_are_gone_soon() {
    let mut cluster = Cluster::start(1, TestDatabase::empty(), &[]).await;
    let sessions = cluster.open_sessions(1).await;
    LocalSet::new()
        .run_until(async {
            let healthy = READERS - STALLED;
            let fleet = |name, sockets, reading| {
                Fleet::launch(plan(&cluster, &sessions, name, sockets, Mode::Extended, reading)).unwrap()
            };
            let readers = fleet("reader", healthy, Reading::Events);
            let others = fleet("other", STALLED, Reading::Events);
            readers.until_open(2 * PATIENCE).await.unwrap();
            others.until_open(2 * PATIENCE).await.unwrap();
            let (before, came) = events(&cluster, &sessions[0], &readers).await;
            let least = MEASURED.as_secs() * u64::from(EVENTS_PER_SECOND) * healthy as u64 * 9 / 10;
            assert!(came >= least, "{came} messages came of {least}");

            drop(others);
            let memory = forget_peak(cluster.node(0));
            let stalled = fleet("stalled", STALLED, Reading::Nothing);
            stalled.until_open(2 * PATIENCE).await.unwrap();
            let (server, fewer) = (cluster.node(0), healthy as u64);
            let gone = Held::until(server, GONE_WITHIN, |held| held.sockets <= fewer);
            let (gone, (during, came)) = tokio::join!(gone, events(&cluster, &sessions[0], &readers));
            assert!(came >= least, "{came} messages came of {least}");
            let grown = peak(cluster.node(0)).saturating_sub(memory);
            let (gone_after, held) = gone.expect("those who stall are gone in time");
            println!(
                "p50 and p99 of {healthy} readers: {} and {} us while all read, {} and {} us while {STALLED} others did not; \
                 those were gone after {gone_after:?}; the server took {} KiB more",
                before.p50,
                before.p99,
                during.p50,
                during.p99,
                grown / 1024
            );
            assert_eq!(held.sockets, healthy as u64, "all who read are still there");
            assert!(Duration::from_micros(during.p99) <= Duration::from_micros(before.p99) + SLOWER_BY);
            assert!(grown <= MOST_MEMORY, "{grown} bytes more");
            drop(stalled);
        })
        .await;
    cluster.rest();
}
