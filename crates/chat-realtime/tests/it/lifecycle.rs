//! Streams that are closed, streams that are dropped, and sessions whose events stay apart.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::LiveEvent;
use chat_domain::ports::{HealthProbe, StartPosition, StreamCloseReason};
use chat_realtime::{HubHealthProbe, HubSettings, run_typing_expiry};
use chat_testkit::fixtures;

use crate::support::{Received, TestSubscriber, World, after, session};

#[tokio::test(start_paused = true)]
async fn shutdown_closes_every_stream() {
    let world = World::with_past(10);
    let mut waiting = world.subscribe("alice", StartPosition::Now).await;
    let mut replaying = world.subscribe("bob", after(0)).await;
    assert_eq!(replaying.positions(1).await, [1]);
    let waiting = tokio::spawn(async move { waiting.end().await });
    tokio::task::yield_now().await;
    world.hub.shutdown();
    let waiting = tokio::time::timeout(Duration::from_secs(1), waiting).await.expect("one that waits is woken");
    assert_eq!(waiting.unwrap(), StreamCloseReason::NodeStopping);
    assert_eq!(replaying.end().await, StreamCloseReason::NodeStopping, "one with events left ends all the same");
    world.happen();
    assert_eq!(replaying.end().await, StreamCloseReason::NodeStopping);
    let mut late = world.subscribe("carol", after(0)).await;
    assert_eq!(late.end().await, StreamCloseReason::NodeStopping, "one that begins later ends at once");
    assert_eq!((world.hub.subscriptions(), world.hub.sessions()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_the_log() {
    let world = World::with_past(10);
    world.log.slow_down(Duration::from_hours(1));
    let mut subscriber = world.subscribe("alice", after(0)).await;
    let reading = tokio::spawn(async move { subscriber.end().await });
    tokio::task::yield_now().await;
    assert_eq!(world.log.reads().len(), 1);
    world.hub.shutdown();
    let ended = tokio::time::timeout(Duration::from_secs(1), reading).await.expect("it ends at once");
    assert_eq!(ended.unwrap(), StreamCloseReason::NodeStopping);
}

#[tokio::test(start_paused = true)]
async fn the_hub_is_ready_until_it_is_shut_down() {
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
        streams.push(world.subscribe(&format!("person-{}", n % 7), StartPosition::Now).await);
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
async fn a_cancelled_subscribe_leaves_nothing_behind() {
    let world = World::with_past(1);
    {
        let request = world.subscribe("alice", StartPosition::Now);
        tokio::pin!(request);
        // The log yields once, so the first poll ends between registration and stream.
        assert!(
            std::future::poll_fn(|context| std::task::Poll::Ready(request.as_mut().poll(context).is_pending())).await
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
    let mut here = world.subscribe("alice", StartPosition::Now).await;
    let mut there = world.subscribe_in(other, "alice", StartPosition::Now).await.unwrap();
    world.happen();
    world.happen_in(other);
    world.happen_in(other);
    world.type_as("bob", true);
    assert_eq!(here.next().await, Received::Seq(2));
    assert_eq!(here.next().await, Received::Typing("bob".to_owned(), true));
    here.stays_quiet_for(Duration::from_secs(1)).await;
    for seq in [2, 3] {
        let event = there.event().await;
        assert_eq!((event.event().session_id(), Received::of(&event)), (other, Received::Seq(seq)));
    }
    there.stays_quiet_for(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn all_streams_share_one_event() {
    let world = World::with_past(1);
    let mut first = world.subscribe("alice", StartPosition::Now).await;
    let mut second = world.subscribe("bob", StartPosition::Now).await;
    world.happen();
    let [first, second] = [&mut first, &mut second].map(TestSubscriber::event);
    let (first, second) = (first.await, second.await);
    assert!(Arc::ptr_eq(&first, &second));
    assert!(matches!(first.event(), LiveEvent::Durable(event) if event.session_id == session()));
}
