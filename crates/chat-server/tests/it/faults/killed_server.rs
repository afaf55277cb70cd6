//! `kill -9` of the server: nothing that was acknowledged is lost, doubled or out of order.

use test_servers::postgres::TestDatabase;

use super::cluster::Cluster;
use super::traffic::{Spread, Traffic, assert_in_time};
use super::{short_or_long, verdict};

/// Acknowledged messages before each kill; the senders are in the middle of the next ones then.
const MESSAGES_A_LIFE: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn kills_under_keyed_senders_and_readers_leave_a_good_history() {
    let kills = short_or_long(10, 50);
    let mut cluster = Cluster::start(1, TestDatabase::empty(), &[]).await;
    let sessions = cluster.open_sessions(4).await;
    let traffic = Traffic::start(&cluster, sessions, 8, 2, Spread::Everywhere).await;
    for round in 1..=kills {
        traffic.more(MESSAGES_A_LIFE).await;
        cluster.kill(0);
        cluster.start_again(0).await;
        println!("killed {round} of {kills} times; ready again after {:?}", cluster.node(0).ready_after);
    }
    traffic.one_more_of_each().await;
    let answers = verdict::check(&cluster, traffic).await;
    // A server that was killed leaves broken connections, and no response that blames the client.
    assert_in_time(&answers, &[None, Some(503)]);
}
