//! Streams that end, streams that are dropped, and sessions that do not hear of each other.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::LiveEvent;
use chat_domain::ports::{End, HealthProbe, Start};
use chat_realtime::{HubHealthProbe, HubSettings, run_typing_expiry};
use chat_testkit::fixtures;

use crate::support::{Heard, Watcher, World, after, session};

#[tokio::test(start_paused = true)]
async fn shutting_down_ends_every_stream() {
    let world = World::with_past(10);
    let mut waiting = world.follow("alice", Start::Now).await;
    let mut replaying = world.follow("bob", after(0)).await;
    assert_eq!(replaying.positions(1).await, [1]);
    let waiting = tokio::spawn(async move { waiting.end().await });
    tokio::task::yield_now().await;
    world.hub.shutdown();
    let waiting = tokio::time::timeout(Duration::from_secs(1), waiting).await.expect("one that waits is woken");
    assert_eq!(waiting.unwrap(), End::Stopping);
    assert_eq!(replaying.end().await, End::Stopping, "one with events left ends all the same");
    world.happen();
    assert_eq!(replaying.end().await, End::Stopping);
    let mut late = world.follow("carol", after(0)).await;
    assert_eq!(late.end().await, End::Stopping, "one that begins later ends at once");
    assert_eq!((world.hub.subscriptions(), world.hub.sessions()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_does_not_wait_for_the_log() {
    let world = World::with_past(10);
    world.log.slow_down(Duration::from_hours(1));
    let mut watcher = world.follow("alice", after(0)).await;
    let reading = tokio::spawn(async move { watcher.end().await });
    tokio::task::yield_now().await;
    assert_eq!(world.log.reads().len(), 1);
    world.hub.shutdown();
    let ended = tokio::time::timeout(Duration::from_secs(1), reading).await.expect("it ends at once");
    assert_eq!(ended.unwrap(), End::Stopping);
}

#[tokio::test(start_paused = true)]
async fn the_fan_out_is_ready_until_it_is_shut_down() {
    let world = World::new();
    let probe = HubHealthProbe::new(Arc::clone(&world.hub));
    let expiry = tokio::spawn(run_typing_expiry(Arc::clone(&world.hub)));
    assert_eq!((probe.name(), probe.check().await), ("fan-out", Ok(())));
    world.hub.shutdown();
    assert!(probe.check().await.is_err());
    expiry.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_leaves_nothing_behind() {
    let world = World::with_past(1);
    let mut streams = Vec::new();
    for n in 0..100 {
        streams.push(world.follow(&format!("person-{}", n % 7), Start::Now).await);
    }
    world.type_as("person-1", true);
    assert_eq!((world.hub.subscriptions(), world.hub.sessions(), world.hub.typists()), (100, 1, 1));
    let survivor = streams.swap_remove(51);
    drop(streams);
    assert_eq!((world.hub.subscriptions(), world.hub.sessions()), (1, 1));
    tokio::time::advance(Duration::from_secs(2)).await;
    world.hub.tick();
    assert_eq!(world.hub.typists(), 0);
    drop(survivor);
    assert_eq!((world.hub.subscriptions(), world.hub.sessions()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_follow_that_is_given_up_leaves_nothing_behind() {
    let world = World::with_past(1);
    {
        let follow = world.follow("alice", Start::Now);
        tokio::pin!(follow);
        // The log yields once, so the first poll ends between registration and stream.
        assert!(
            std::future::poll_fn(|context| std::task::Poll::Ready(follow.as_mut().poll(context).is_pending())).await
        );
        assert_eq!(world.hub.subscriptions(), 1);
    }
    assert_eq!((world.hub.subscriptions(), world.hub.sessions()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn no_event_reaches_a_stream_of_another_session() {
    // One lock for all sessions, so that they meet where they can.
    let world = World::with(HubSettings { shards: 1, ..HubSettings::default() });
    let other = fixtures::session_id(2);
    world.commit();
    world.happen_in(other);
    let mut here = world.follow("alice", Start::Now).await;
    let mut there = world.follow_in(other, "alice", Start::Now).await.unwrap();
    world.happen();
    world.happen_in(other);
    world.happen_in(other);
    world.type_as("bob", true);
    assert_eq!(here.next().await, Heard::Seq(2));
    assert_eq!(here.next().await, Heard::Typing("bob".to_owned(), true));
    here.hears_nothing_for(Duration::from_secs(1)).await;
    for seq in [2, 3] {
        let event = there.event().await;
        assert_eq!((event.event().session_id(), Heard::of(&event)), (other, Heard::Seq(seq)));
    }
    there.hears_nothing_for(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn all_watchers_share_one_event() {
    let world = World::with_past(1);
    let mut first = world.follow("alice", Start::Now).await;
    let mut second = world.follow("bob", Start::Now).await;
    world.happen();
    let [first, second] = [&mut first, &mut second].map(Watcher::event);
    let (first, second) = (first.await, second.await);
    assert!(Arc::ptr_eq(&first, &second));
    assert!(matches!(first.event(), LiveEvent::Durable(event) if event.session_id == session()));
}
