//! Peers of one kind or another that stop: sockets that catch up and never read, uploads that stop in the middle. What
//! the server holds for each is bounded, whatever was sent.

use std::time::Duration;

use chat_loadgen::abuse::{OccupyPlan, OccupyProgress, OccupyReport, occupy, upload_request};
use chat_loadgen::api_client::ApiClient;
use chat_loadgen::fleet::{FleetPlan, Reading};
use chat_loadgen::hold::{HoldOptions, hold, long_sessions};
use chat_loadgen::socket::ClientSocketMode;
use chat_loadgen::token::TokenRole;
use test_servers::postgres::TestDatabase;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use super::cluster::Cluster;
use super::fleets::{plan, target};
use super::short_or_long;
use crate::support::{PATIENCE, Scrape, TestServer};

/// How long the memory of the sockets is looked at once all of them are open. Nothing has to happen within it.
const STAY: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn sockets_that_catch_up_on_the_longest_messages_and_never_read_hold_little() {
    // A page of the log in events alone would be 100 messages of 40 KB, kept as they are and as frames.
    let (sockets, messages) = short_or_long((20, 60), (50, 150));
    let cluster = Cluster::start(1, TestDatabase::empty(), &[]).await;
    let token = cluster.token("alice", TokenRole::User);
    let mut client = ApiClient::new(target(&cluster), token.clone(), PATIENCE);
    let paths = long_sessions(&mut client, sockets, messages).await.unwrap();
    let plan = plan(&cluster, &[], "alice", sockets, ClientSocketMode::Extended, Reading::Nothing);
    let plan = FleetPlan { tokens: vec![token], paths, at_once: sockets, timeout: PATIENCE, ..plan };
    let server_pid = Some(cluster.node(0).pid());
    let options = HoldOptions { duration: STAY, resume: false, patience: PATIENCE, server_pid };
    let report = LocalSet::new().run_until(hold(plan, &options, |_, _| {})).await.unwrap();
    println!("{report:?}");
    assert_eq!(report.open, sockets, "{report:?}");
    let grown = report.server_kib_peak.unwrap() - report.server_kib_before.unwrap();
    // 64 MiB for 50 sockets.
    assert!(grown <= 1_310 * sockets as u64, "{report:?}");
}

/// Waits until so many uploads have a slot of the server.
async fn until_running(server: &TestServer, uploads: usize) {
    let reached = async {
        while Scrape::of(server).await.sum("chat_uploads_running") != uploads as u64 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("the number of uploads that have a slot");
}

/// Begins uploads and waits until so many of them stand still, with all of their bytes sent and a slot of the server, and
/// all others have ended.
#[expect(clippy::print_stdout, reason = "the figures of a test")]
async fn stall(server: &TestServer, plan: OccupyPlan, stalled: usize) -> OccupyReport {
    let stay = async |progress: OccupyProgress| {
        let settled = async {
            while progress.stalled() > stalled || progress.sent() < stalled {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, settled).await.expect("the uploads stand still or have ended");
        until_running(server, stalled).await;
    };
    let report = LocalSet::new().run_until(occupy(plan, stay)).await.unwrap();
    println!("{report:?}");
    report
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn uploads_that_stop_in_the_middle_hold_little_and_are_so_many_a_person() {
    const ALLOWED: usize = 8;
    let people = short_or_long(5, 12);
    let cluster = Cluster::start(1, TestDatabase::empty(), &[]).await;
    let session = cluster.open_sessions(1).await.remove(0);
    let token = |person| cluster.token(&format!("uploader-{person}"), TokenRole::Admin);
    let request = |person| upload_request(&target(&cluster), &session, &token(person), 300_000);
    let plan = |people: usize, uploads| OccupyPlan {
        target: target(&cluster),
        connections: uploads,
        requests: (0..people).map(request).collect(),
        patience: PATIENCE,
        server: Some(cluster.node(0).pid()),
    };
    let server = cluster.node(0);
    // What the server keeps for good comes with the first ones.
    stall(server, plan(people, people), people).await;
    until_running(server, 0).await;
    let report = stall(server, plan(people, people * ALLOWED), people * ALLOWED).await;
    assert_eq!((report.stalled, report.open), (people * ALLOWED, people * ALLOWED), "{report:?}");
    // Half of it is what the allocator and new threads keep after a burst; before there were bounds it was 840.
    assert!(report.server_kib_per_stalled.unwrap() <= 450.0, "{report:?}");
    // All slots are free again, although no client took its leave; and a person gets no more than their own.
    until_running(server, 0).await;
    let report = stall(server, plan(1, ALLOWED + 3), ALLOWED).await;
    assert_eq!((report.stalled, report.statuses.get("429")), (ALLOWED, Some(&3)), "{report:?}");
}
