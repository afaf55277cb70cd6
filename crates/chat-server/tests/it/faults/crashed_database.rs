//! PostgreSQL ends as in a crash and comes back, while people write.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use test_servers::postgres::{PrivatePostgres, StopMode, TestDatabase};

use super::cluster::Cluster;
use super::locker::Locker;
use super::traffic::{Spread, Traffic, assert_in_time};
use super::{short_or_long, verdict};
use crate::support::Person;

const READERS: usize = 3;
const WRITERS: usize = 2;
/// One more connection looks sessions up, many at a time.
const LOOK_UPS: usize = 1;
const SETTINGS: &[(&str, &str)] = &[("CHAT_DATABASE_READERS", "3"), ("CHAT_DATABASE_WRITERS", "2")];

/// From the moment that the database accepts connections.
const BACK_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn crashes_of_the_database_lose_nothing_and_the_node_recovers() {
    let crashes = short_or_long(3, 10);
    let postgres = PrivatePostgres::start(&[]).unwrap();
    let cluster = Cluster::start(1, TestDatabase::on(&postgres), SETTINGS).await;
    let sessions = cluster.open_sessions(4).await;
    let alice = cluster.alice();
    let traffic = Traffic::start(&cluster, sessions, 8, 2, Spread::Everywhere).await;
    for round in 1..=crashes {
        traffic.more(100).await;
        postgres.stop(StopMode::Immediate).unwrap();
        let asked = Instant::now();
        assert_eq!(alice.get("/api/chat/sessions").await.status(), 503);
        let refused_after = asked.elapsed();
        assert!(refused_after <= super::REQUEST_LIMIT, "{refused_after:?}");
        assert_eq!(alice.get("/healthz").await.status(), 200);

        postgres.start_again().unwrap();
        let (writes_after, reads_after) = tokio::join!(traffic.one_more_of_each(), read_again(&alice));
        println!(
            "crash {round} of {crashes}: reads were refused after {refused_after:?}; all senders were served again \
             after {writes_after:?}, reads after {reads_after:?}"
        );
        assert!(writes_after <= BACK_WITHIN, "writes were back after {writes_after:?}");
        assert!(reads_after <= BACK_WITHIN, "reads were back after {reads_after:?}");
    }
    let answers = verdict::check(&cluster, traffic).await;
    assert_in_time(&answers, &[Some(503), Some(500)]);
    every_connection_works_and_there_are_no_others(&cluster).await;
}

/// Until a list is answered.
async fn read_again(person: &Person) -> Duration {
    let begun = Instant::now();
    loop {
        match person.get("/api/chat/sessions").await.status() {
            StatusCode::OK => return begun.elapsed(),
            status => assert_eq!(status, 503),
        }
    }
}

/// As many reads as there are connections for them are made to wait at the same time, so that all are in use at once.
async fn every_connection_works_and_there_are_no_others(cluster: &Cluster) {
    let alice = cluster.alice();
    let lock = Locker::table(&cluster.database, "chat_sessions");
    let reads: Vec<_> = (0..READERS)
        .map(|_| alice.clone())
        .map(|alice| tokio::spawn(async move { alice.get("/api/chat/sessions").await.status() }))
        .collect();
    lock.until_blocked(READERS).await;
    drop(lock);
    for read in reads {
        assert_eq!(read.await.unwrap(), 200);
    }
    let backends = cluster.database.sql(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'chat-server'",
    );
    assert!(backends.parse::<usize>().unwrap() <= READERS + LOOK_UPS + WRITERS, "{backends} connections");
}
