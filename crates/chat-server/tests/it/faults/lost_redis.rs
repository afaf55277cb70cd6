//! Redis between two servers dies, hangs, or drops its subscribers, while people write and follow: nothing is lost, no
//! socket waits long, and no request fails.
//!
//! The servers are built without optimisation and share two cores with the clients of the test, so limits of time are those
//! that a server would exceed if it waited for Redis. What the same run had before the fault is printed beside them.

use std::time::Duration;

use test_servers::redis::PrivateRedis;
use tokio::task::block_in_place;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::cluster::Cluster;
use super::followers::{Delivery, Followers, deliveries, percentile};
use super::traffic::{Answer, Span, Traffic, assert_in_time, assert_rate};
use super::verdict;
use crate::support::Scrape;

const SESSIONS: usize = 4;
/// Of each session, at each of the two servers.
const FOLLOWERS: usize = 25;
const MESSAGES_PER_SECOND: u32 = 20;

/// How long it is looked at before.
const BEFORE: Duration = Duration::from_secs(12);
const AWAY: Duration = Duration::from_secs(30);
/// After Redis is back, everything is as before within this time.
const CONVERGED_WITHIN: Duration = Duration::from_secs(5);
/// How long it is looked at afterwards.
const AFTER: Duration = Duration::from_secs(6);

/// To a socket on the other server, when 99 of 100 messages have come: a look into the database each second. A server that
/// believes that it hears the other looks every 15 s.
const REMOTE_WITHOUT_REDIS: Duration = Duration::from_secs(6);
/// An answer, when 90 of 100 have come: an answer that waited for Redis would take seconds. The slowest of some hundred
/// answers are those that the machine has kept waiting, and 99 of 100 take three times as long at most.
const POST_WITHOUT_REDIS: Duration = Duration::from_secs(1);

/// How many messages both servers have received through Redis: events, and few heartbeats.
async fn received(cluster: &Cluster) -> u64 {
    let of = async |node| Scrape::of(cluster.node(node)).await.sum("chat_redis_received_total");
    of(0).await + of(1).await
}

fn posts(answers: &[Answer], span: &Span) -> [Duration; 3] {
    let took = |percent| {
        percentile(percent, answers.iter().filter(|answer| span.contains(&answer.attempt.began_us)).map(Answer::took))
    };
    [50, 90, 99].map(took)
}

fn remote<'a>(deliveries: &'a [Delivery], span: &'a Span) -> impl Iterator<Item = &'a Delivery> {
    deliveries.iter().filter(|delivery| delivery.remote && span.contains(&delivery.sent_us))
}

fn remote_times(deliveries: &[Delivery], span: &Span) -> [Duration; 3] {
    [50, 99, 100].map(|percent| percentile(percent, remote(deliveries, span).map(Delivery::took)))
}

#[expect(clippy::print_stdout, reason = "the figures of a test")]
async fn redis_is_unreachable_for_a_while(leave: fn(&PrivateRedis), come_back: fn(&PrivateRedis)) {
    let cluster = Cluster::with_redis(2).await;
    let sessions = cluster.open_sessions(SESSIONS).await;
    let followers = Followers::start(&cluster, &sessions, FOLLOWERS).await;
    let count = followers.count();
    let traffic = Traffic::paced(&cluster, &sessions, MESSAGES_PER_SECOND);
    traffic.more(20).await;
    let begun = traffic.now_us();
    let received_at_first = received(&cluster).await;
    sleep(BEFORE).await;
    let received_before = received(&cluster).await - received_at_first;
    let left = traffic.now_us();
    block_in_place(|| leave(cluster.redis()));
    sleep(AWAY).await;
    let returns = traffic.now_us();
    block_in_place(|| come_back(cluster.redis()));
    let back = traffic.now_us();
    sleep(CONVERGED_WITHIN).await;
    let received_at_last = received(&cluster).await;
    sleep(AFTER).await;
    let received_after = received(&cluster).await - received_at_last;
    let end = traffic.now_us();
    assert_eq!(followers.hellos(), count, "no socket was lost");
    let (answers, followed) = verdict::check_followed(&cluster, traffic, followers).await;
    assert!(followed.iter().all(|seen| seen.ends.is_empty()), "no socket was closed");
    // Not even a 503.
    assert_in_time(&answers, &[]);
    assert_rate(&answers, &(begun..end), MESSAGES_PER_SECOND);

    let deliveries = deliveries(&answers, &followed);
    let converged = back + u64::try_from(CONVERGED_WITHIN.as_micros()).unwrap();
    let (before, away, after) = (begun..left, left..returns, converged..end);
    let [posts_before, posts_without] = [&before, &away].map(|span| posts(&answers, span));
    let [remote_before, remote_without, remote_after] =
        [&before, &away, &after].map(|span| remote_times(&deliveries, span));
    println!("POST, p50, p90 and p99: {posts_before:?} before, {posts_without:?} without Redis");
    println!(
        "to the other server, p50, p99 and at most: {remote_before:?} before, {remote_without:?} without Redis, \
         {remote_after:?} after"
    );
    let late = deliveries.iter().filter(|delivery| delivery.sent_us < back && delivery.arrived_us > converged).count();
    assert_eq!(late, 0, "deliveries of what was sent without Redis took longer than {CONVERGED_WITHIN:?} with it");
    for (received, during) in [(received_before, BEFORE), (received_after, AFTER)] {
        // How soon they reach the sockets is up to the machine.
        let sent = u64::from(MESSAGES_PER_SECOND) * during.as_secs();
        assert!(received > sent / 2, "of {sent} messages {received} came through Redis in {during:?}");
    }
    assert!(remote_without[1] <= REMOTE_WITHOUT_REDIS, "without Redis: {remote_without:?}");
    let [_, most, slowest] = posts_without;
    assert!(most <= POST_WITHOUT_REDIS, "POST: {posts_without:?}, and it was {posts_before:?}");
    assert!(slowest <= 3 * POST_WITHOUT_REDIS, "POST: {posts_without:?}, and it was {posts_before:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn a_redis_that_is_killed_for_thirty_seconds_loses_and_delays_little() {
    redis_is_unreachable_for_a_while(|redis| redis.kill().unwrap(), |redis| redis.start_again().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn a_redis_that_is_frozen_for_thirty_seconds_loses_and_delays_little() {
    redis_is_unreachable_for_a_while(|redis| redis.freeze().unwrap(), |redis| redis.thaw().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn subscribers_that_are_killed_every_second_lose_nothing() {
    const KILLS: u32 = 60;
    let cluster = Cluster::with_redis(2).await;
    let sessions = cluster.open_sessions(SESSIONS).await;
    let followers = Followers::start(&cluster, &sessions, FOLLOWERS).await;
    let count = followers.count();
    let traffic = Traffic::paced(&cluster, &sessions, MESSAGES_PER_SECOND);
    let mut every_second = interval(Duration::from_secs(1));
    every_second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = traffic.now_us();
    let mut killed = 0;
    for _ in 0..KILLS {
        every_second.tick().await;
        let said = block_in_place(|| cluster.redis().command(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap());
        killed += said.trim().parse::<u32>().unwrap();
    }
    let end = traffic.now_us();
    assert_eq!(followers.hellos(), count, "no socket was lost");
    let (answers, followed) = verdict::check_followed(&cluster, traffic, followers).await;
    assert_in_time(&answers, &[]);
    assert_rate(&answers, &(begun..end), MESSAGES_PER_SECOND);
    let remote = remote_times(&deliveries(&answers, &followed), &(begun..end));
    println!("{killed} subscribers were killed; to the other server, p50, p99 and at most: {remote:?}");
    // Both servers were subscribed again before most of the kills.
    assert!(killed > KILLS, "{killed} subscribers were killed in {KILLS} times");
}
