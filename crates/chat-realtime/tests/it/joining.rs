//! The moment between the past and the live events.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::error::{ChatError, ReplayUnavailable, Resource};
use chat_domain::model::Seq;
use chat_domain::ports::StartPosition;
use chat_realtime::HubSettings;
use chat_testkit::fixtures;
use tokio::sync::Barrier;

use crate::support::{World, after, session};

#[tokio::test(start_paused = true)]
async fn missed_events_come_before_the_live_ones() {
    let world = World::with_past(250);
    let mut subscriber = world.subscribe("alice", after(3)).await;
    world.happen();
    assert_eq!(subscriber.positions(248).await, (4..=251).collect::<Vec<_>>());
    assert_eq!(world.log.reads(), [(Seq::new(3), 100), (Seq::new(103), 100), (Seq::new(203), 47)]);
    world.happen();
    assert_eq!(subscriber.positions(1).await, [252]);
}

#[tokio::test(start_paused = true)]
async fn a_start_at_now_returns_only_later_events() {
    let world = World::with_past(5);
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    subscriber.stays_quiet_for(Duration::from_secs(1)).await;
    world.happen();
    assert_eq!(subscriber.positions(1).await, [6]);
    assert!(world.log.reads().is_empty(), "nothing was missed, so nothing is read");
}

#[tokio::test(start_paused = true)]
async fn an_event_between_the_head_and_the_stream_is_not_missed() {
    for start in [StartPosition::Now, after(1), after(3)] {
        let world = World::with_past(3);
        let meanwhile = world.clone();
        world.log.after_head(move || meanwhile.happen());
        let mut subscriber = world.subscribe("alice", start.clone()).await;
        let first = if let StartPosition::After { seq, .. } = &start { seq.get() + 1 } else { 4 };
        assert_eq!(subscriber.positions(5 - first).await, (first..=4).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_session_is_not_found_and_leaves_nothing() {
    let world = World::new();
    let refused = world.subscribe_in(fixtures::session_id(9), "alice", StartPosition::Now).await.unwrap_err();
    assert!(matches!(refused, ChatError::NotFound(Resource::Session)));
    assert_eq!((world.hub.subscriptions(), world.hub.sessions()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_cannot_be_replayed_is_refused_and_leaves_nothing() {
    let world = World::with_past(1_001);
    let ahead = world.subscribe_in(session(), "alice", after(1_002)).await.unwrap_err();
    assert!(matches!(ahead, ChatError::ReplayUnavailable(ReplayUnavailable::AheadOfSession)));
    let behind = world.subscribe_in(session(), "alice", after(0)).await.unwrap_err();
    assert!(matches!(behind, ChatError::ReplayUnavailable(ReplayUnavailable::TooManyMissed { limit: 1_000 })));
    assert_eq!(world.hub.subscriptions(), 0);
    assert_eq!(world.subscribe("alice", after(1)).await.positions(1).await, [2]);
}

/// The gap repair is switched off by endless patience, so that only a join without gap can pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn subscribing_among_writers_misses_and_doubles_nothing() {
    const WRITTEN: u64 = 40;
    for round in 0..400_u64 {
        let world =
            World::with(HubSettings { patience: Duration::from_hours(1), page_events: 7, ..HubSettings::default() });
        world.commit();
        let writer = {
            let world = world.clone();
            tokio::spawn(async move {
                for _ in 0..WRITTEN {
                    world.happen();
                    tokio::task::yield_now().await;
                }
            })
        };
        let everyone_watches = Arc::new(Barrier::new(5));
        let readers: Vec<_> = (0..4_u64)
            .map(|reader| {
                let world = world.clone();
                let everyone_watches = Arc::clone(&everyone_watches);
                tokio::spawn(async move {
                    for _ in 0..(round + reader * 5) % 23 {
                        tokio::task::yield_now().await;
                    }
                    let start = if reader % 2 == 0 { StartPosition::Now } else { after(1) };
                    let mut subscriber = world.subscribe("bob", start).await;
                    everyone_watches.wait().await;
                    // The event before the writer, the writer's events, and an event that comes once all are
                    // subscribed.
                    let mut seen = Vec::new();
                    while seen.last() != Some(&(WRITTEN + 2)) {
                        seen.extend(subscriber.positions(1).await);
                    }
                    let first = if reader % 2 == 0 { seen[0] } else { 2 };
                    assert_eq!(seen, (first..=WRITTEN + 2).collect::<Vec<_>>());
                })
            })
            .collect();
        writer.await.unwrap();
        everyone_watches.wait().await;
        world.happen();
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!((world.hub.subscriptions(), world.hub.sessions()), (0, 0));
    }
}
