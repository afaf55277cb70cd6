//! Losses, disorder, a log that fails, and futures that are dropped.

use std::time::Duration;

use chat_domain::model::Seq;
use chat_domain::ports::StartPosition;
use chat_realtime::HubSettings;
use tokio::time::Instant;

use crate::support::{Received, World, after, durable};

#[tokio::test(start_paused = true)]
async fn a_stream_that_falls_behind_catches_up_from_the_log() {
    let world = World::with_past(1);
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    for _ in 0..1_000 {
        world.happen();
    }
    assert_eq!(subscriber.positions(1_000).await, (2..=1_001).collect::<Vec<_>>());
    assert_eq!(world.log.reads().len(), 10, "it was the log that was read");
    world.happen();
    assert_eq!(subscriber.positions(1).await, [1_002]);
    subscriber.stays_quiet_for(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_fits_into_the_queue_reads_no_log() {
    let world = World::with_past(1);
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    for _ in 0..256 {
        world.happen();
    }
    assert_eq!(subscriber.positions(256).await, (2..=257).collect::<Vec<_>>());
    assert!(world.log.reads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_is_found_with_the_next_one() {
    let world = World::with_past(1);
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    world.commit_many(2);
    subscriber.stays_quiet_for(Duration::from_secs(1)).await;
    world.happen();
    let before = Instant::now();
    assert_eq!(subscriber.positions(3).await, [2, 3, 4]);
    assert_eq!(before.elapsed().as_millis() / 10, 5, "patience is 50 ms, then the log is read");
    assert_eq!(world.log.reads(), [(Seq::new(1), 3)]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_log_never_has_is_read_less_and_less_often() {
    let world = World::with_past(1);
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    world.publish(durable(3));
    subscriber.stays_quiet_for(Duration::from_mins(1)).await;
    let readings = world.log.reads().len();
    assert!((15..30).contains(&readings), "{readings} readings in a minute");
    world.commit();
    world.happen();
    assert_eq!(subscriber.positions(2).await, [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn events_out_of_order_are_reordered_without_the_log() {
    let world = World::with_past(1);
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    let [second, third, fourth] = [world.commit(), world.commit(), world.commit()];
    world.publish(fourth.clone());
    world.publish(third);
    subscriber.stays_quiet_for(Duration::from_millis(49)).await;
    world.publish(second);
    world.publish(fourth);
    assert_eq!(subscriber.positions(3).await, [2, 3, 4]);
    subscriber.stays_quiet_for(Duration::from_secs(1)).await;
    assert!(world.log.reads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_in_time_although_the_future_is_dropped() {
    let world = World::with_past(1);
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    world.commit();
    world.happen();
    let before = Instant::now();
    let mut dropped = 0;
    let first = loop {
        match tokio::time::timeout(Duration::from_millis(7), subscriber.event()).await {
            Ok(event) => break Received::of(&event),
            Err(_) => dropped += 1,
        }
        assert!(dropped < 100, "the gap is never repaired");
    };
    assert_eq!(first, Received::Seq(2));
    assert!(dropped >= 5 && before.elapsed() < Duration::from_millis(60));
    assert_eq!(subscriber.positions(1).await, [3]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_continues_when_the_future_is_dropped() {
    let world = World::with_past(5);
    world.log.slow_down(Duration::from_millis(100));
    let mut subscriber = world.subscribe("alice", after(0)).await;
    let mut dropped = 0;
    let first = loop {
        match tokio::time::timeout(Duration::from_millis(7), subscriber.event()).await {
            Ok(event) => break Received::of(&event),
            Err(_) => dropped += 1,
        }
        assert!(dropped < 100, "the reading never ends");
    };
    assert_eq!((first, world.log.reads().len()), (Received::Seq(1), 1));
    assert_eq!(subscriber.positions(4).await, [2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_log_is_an_error_and_the_next_call_tries_again() {
    let world = World::with_past(3);
    let mut subscriber = world.subscribe("alice", after(1)).await;
    world.log.fail(true);
    for _ in 0..3 {
        assert!(subscriber.recv().await.is_err());
        world.happen();
    }
    world.log.fail(false);
    assert_eq!(subscriber.positions(5).await, [2, 3, 4, 5, 6]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_after_an_overflow_loses_nothing() {
    let world = World::with_past(1);
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    for _ in 0..300 {
        world.happen();
    }
    world.log.fail(true);
    assert!(subscriber.recv().await.is_err());
    world.happen();
    world.log.fail(false);
    assert_eq!(subscriber.positions(301).await, (2..=302).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_future_at_any_moment_loses_nothing() {
    const EVENTS: u64 = 2_000;
    let patience = Duration::from_millis(1);
    let settings = HubSettings { queue_events: 16, page_events: 5, patience, ..HubSettings::default() };
    let world = World::with(settings);
    world.commit();
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    let writer = {
        let world = world.clone();
        tokio::spawn(async move {
            for n in 0..EVENTS {
                // Every seventh publication is lost, except the last.
                if n % 7 == 0 && n + 1 < EVENTS {
                    drop(world.commit());
                } else {
                    world.happen();
                }
                tokio::task::yield_now().await;
            }
        })
    };
    let mut seen = Vec::new();
    while seen.last() != Some(&(EVENTS + 1)) {
        tokio::select! {
            event = subscriber.event() => {
                if let Received::Seq(seq) = Received::of(&event) {
                    seen.push(seq);
                }
            }
            // Always ready after it has let others run, so about every second future of `next` is dropped.
            () = tokio::task::yield_now() => {}
        }
    }
    writer.await.unwrap();
    assert_eq!(seen, (2..=EVENTS + 1).collect::<Vec<_>>());
}
