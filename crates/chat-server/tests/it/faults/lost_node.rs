//! One of two servers is lost with all its sockets, or leaves in order: everyone goes on at the other one and misses
//! nothing.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::cluster::Cluster;
use super::followers::Followers;
use super::traffic::{Traffic, assert_in_time, assert_rate};
use super::{short_or_long, verdict};
use crate::support::PATIENCE;

/// From the death of a server until the last of its sockets is resumed elsewhere.
const RESUMED_WITHIN: Duration = Duration::from_secs(30);
/// While servers leave.
const MESSAGES_PER_SECOND: u32 = 100;
/// From SIGTERM to the end of the process.
const GONE_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn sockets_of_a_server_that_is_killed_resume_at_the_other_one() {
    let (sessions, sockets) = short_or_long((10, 200), (40, 2_000));
    let mut cluster = Cluster::with_redis(2).await;
    let sessions = cluster.open_sessions(sessions).await;
    let at_each = sockets / sessions.len();
    let followers = Followers::start(&cluster, &sessions, at_each).await;
    assert_eq!(followers.count(), 2 * sockets);
    let traffic = Traffic::paced(&cluster, &sessions, 20);
    traffic.more(100).await;

    let killed_us = traffic.now_us();
    cluster.kill(0);
    let resumed_after = followers.until_hellos(3 * sockets).await;
    traffic.more(100).await;
    cluster.start_again(0).await;
    let (answers, followed) = verdict::check_followed(&cluster, traffic, followers).await;
    assert_in_time(&answers, &[None, Some(503)]);
    println!("{sockets} sockets of a server that was killed were resumed after {resumed_after:?}");
    assert!(resumed_after <= RESUMED_WITHIN, "{resumed_after:?}");
    let ends: Vec<_> = followed.iter().flat_map(|seen| &seen.ends).collect();
    assert_eq!(ends.len(), sockets, "no other socket was lost");
    assert!(ends.iter().all(|end| end.node == 0 && end.code.is_none() && end.at_us >= killed_us));
    let again = followed.iter().flat_map(|seen| &seen.hellos).filter(|hello| hello.at_us > killed_us);
    assert!(again.clone().count() == sockets && again.clone().all(|hello| hello.node == 1));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn servers_that_leave_one_after_the_other_lose_nothing_of_a_hundred_messages_a_second() {
    let mut cluster = Cluster::with_redis(2).await;
    let sessions = cluster.open_sessions(10).await;
    let followers = Followers::start(&cluster, &sessions, 5).await;
    let traffic = Traffic::paced(&cluster, &sessions, MESSAGES_PER_SECOND);
    let begun = traffic.now_us();
    let mut left = Vec::new();
    for node in 0..short_or_long(2, 10) {
        let node = node % 2;
        traffic.more(200).await;
        let hellos = followers.hellos();
        let from = traffic.now_us();
        let asked = Instant::now();
        let server = cluster.terminate(node);
        let (status, log) = timeout(PATIENCE, server.ended()).await.expect("it ends");
        let took = asked.elapsed();
        println!("server {node} left within {took:?}");
        assert_eq!(status.code(), Some(0), "{log:#?}");
        assert!(took <= GONE_WITHIN, "{took:?}");
        left.push((node, from));
        traffic.more(200).await;
        cluster.start_again(node).await;
        // All are on the other server then.
        followers.until_hellos(hellos + if left.len() == 1 { followers.count() / 2 } else { followers.count() }).await;
    }
    traffic.more(200).await;
    let (count, end) = (followers.count(), traffic.now_us());
    let (answers, followed) = verdict::check_followed(&cluster, traffic, followers).await;
    assert_in_time(&answers, &[None, Some(503)]);
    // Also while servers leave.
    assert_rate(&answers, &(begun..end), MESSAGES_PER_SECOND);
    let ends: Vec<_> = followed.iter().flat_map(|seen| &seen.ends).collect();
    // Once a half of the sockets, later all of them.
    assert_eq!(ends.len(), count / 2 + (left.len() - 1) * count, "everyone who was there was told");
    for end in ends {
        assert!(matches!(end.code, Some(1001 | 1012)), "a socket ended with {end:?}");
        let (node, _) = left.iter().rev().find(|(_, from)| *from <= end.at_us).expect("after a signal");
        assert_eq!(*node, end.node, "{end:?}");
    }
}
