//! Events that are lost without a later one to tell of it, what other nodes say, and readings that are shared.

use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use chat_domain::error::ReplayUnavailable;
use chat_domain::model::Seq;
use chat_domain::ports::{Replay, ReplayFallback, SessionFeed, SocketCloser, StartPosition, StreamCloseReason};
use chat_realtime::{
    HubSettings, PeerEvent, PeerNotifier, PeerSink, PeerTyping, SuspectedGap, run_repair, session_shard,
};
use chat_testkit::fixtures;
use futures_util::FutureExt;
use tokio::time::{Instant, advance};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{Received, TestSubscriber, World, after, message, session, socket, subscribe_request};

/// The messages of what is logged.
#[derive(Clone, Default)]
struct LogLines(Arc<Mutex<Vec<String>>>);

impl Visit for LogLines {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for LogLines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A world with one change in session 1 and the repair running.
fn repaired_world() -> World {
    let world = World::with_past(1);
    tokio::spawn(run_repair(Arc::clone(&world.hub), Arc::clone(&world.log) as _));
    world
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_is_found_by_the_sweep() {
    let world = repaired_world();
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    world.commit();
    let before = Instant::now();
    assert_eq!(subscriber.positions(1).await, [2]);
    assert!(before.elapsed() <= Duration::from_millis(15_100), "{:?}", before.elapsed());
    subscriber.stays_quiet_for(Duration::from_mins(1)).await;
    assert_eq!(world.log.reads().len(), 1, "who knows everything is not sent to the log again");
    assert!(world.log.compared().len() <= 6, "one look every 15 seconds: {:?}", world.log.compared());
}

#[tokio::test(start_paused = true)]
async fn a_suspected_gap_is_repaired_within_a_fifth_of_a_second() {
    for missed in [SuspectedGap::AllSessions, SuspectedGap::Shard { index: session_shard(session(), 64), of: 64 }] {
        let world = repaired_world();
        let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
        world.commit();
        for _ in 0..10 {
            world.hub.mark_suspect(missed);
        }
        let before = Instant::now();
        assert_eq!(subscriber.positions(1).await, [2]);
        assert!(before.elapsed() <= Duration::from_millis(200), "{:?}", before.elapsed());
        assert_eq!(world.log.compared(), [1], "reports that come together are one");
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_are_compared_every_second_while_peers_are_unreachable() {
    let world = repaired_world();
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    world.hub.set_peers_reachable(false);
    for seq in 2..=5 {
        world.commit();
        let before = Instant::now();
        assert_eq!(subscriber.positions(1).await, [seq]);
        assert!(before.elapsed() <= Duration::from_millis(1_100), "{:?}", before.elapsed());
    }
    world.commit();
    world.hub.set_peers_reachable(true);
    let before = Instant::now();
    assert_eq!(subscriber.positions(1).await, [6]);
    assert!(before.elapsed() <= Duration::from_millis(100), "looked at once: {:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_failing_log_is_queried_less_often_and_all_gaps_are_repaired() {
    let world = repaired_world();
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    world.log.fail(true);
    world.commit();
    world.hub.mark_suspect(SuspectedGap::AllSessions);
    subscriber.stays_quiet_for(Duration::from_mins(1)).await;
    let asked = world.log.compared().len();
    assert!((10..25).contains(&asked), "asked {asked} times in a minute");
    world.log.fail(false);
    let before = Instant::now();
    assert_eq!(subscriber.positions(1).await, [2]);
    assert!(before.elapsed() <= Duration::from_millis(5_100), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_hanging_query_fails_after_five_seconds_and_is_repeated() {
    let world = repaired_world();
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    world.log.hang_heads(true);
    world.commit();
    world.hub.mark_suspect(SuspectedGap::AllSessions);
    subscriber.stays_quiet_for(Duration::from_secs(4)).await;
    assert_eq!(world.log.compared(), [1], "the first question is not given up too soon");
    subscriber.stays_quiet_for(Duration::from_secs(56)).await;
    let asked = world.log.compared().len();
    assert!((6..12).contains(&asked), "asked {asked} times in a minute");
    world.log.hang_heads(false);
    let before = Instant::now();
    assert_eq!(subscriber.positions(1).await, [2]);
    assert!(before.elapsed() <= Duration::from_millis(10_100), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn reachable_peers_are_logged_at_once() {
    let log = LogLines::default();
    let _here = tracing::subscriber::set_default(log.clone());
    let world = repaired_world();
    let said = |words: &str| log.0.lock().unwrap().iter().any(|line| line.contains(words));
    world.hub.set_peers_reachable(false);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(said("the other nodes are unreachable"));
    world.hub.set_peers_reachable(true);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(said("the other nodes are reachable again"));
}

/// A repair of many sessions does not keep its thread from other tasks.
#[tokio::test(start_paused = true)]
async fn other_tasks_run_while_many_sessions_are_repaired() {
    let world = World::new();
    let sessions: Vec<_> = (1..=1_000).map(fixtures::session_id).collect();
    let mut subscribers = Vec::new();
    for &session in &sessions {
        world.happen_in(session);
        subscribers.push(world.subscribe_in(session, "alice", StartPosition::Now).await.unwrap());
        drop(world.log.commit(session, |seq| message(session, seq)));
    }
    tokio::spawn(run_repair(Arc::clone(&world.hub), Arc::clone(&world.log) as _));
    world.hub.mark_suspect(SuspectedGap::AllSessions);
    // A task like any other: what the test itself waits for has its turn less often.
    let counting = tokio::spawn(async move {
        let mut pending: Vec<_> = subscribers.iter_mut().map(|subscriber| Box::pin(subscriber.event())).collect();
        // Time stands still unless every task waits, so this lets it pass until the first are about to be marked.
        tokio::time::sleep(Duration::from_millis(99)).await;
        advance(Duration::from_millis(2)).await;
        let mut turns = 0;
        for _ in 0..10_000 {
            let waiting = pending.len();
            pending.retain_mut(|event| event.as_mut().now_or_never().is_none());
            turns += usize::from(pending.len() < waiting);
            // Not the runtime's own yielding, which lasts until no other task is ready.
            let mut yielded = false;
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        assert!(pending.is_empty(), "{} have not been notified", pending.len());
        turns
    });
    let turns = counting.await.unwrap();
    assert!(turns >= 10, "a thousand were notified in {turns} turns");
}

#[tokio::test(start_paused = true)]
async fn a_later_subscription_does_not_hide_the_gap_of_others() {
    let world = repaired_world();
    let mut first = world.subscribe("alice", StartPosition::Now).await;
    world.commit();
    let mut second = world.subscribe("bob", StartPosition::Now).await;
    let before = Instant::now();
    assert_eq!(first.positions(1).await, [2]);
    assert!(before.elapsed() <= Duration::from_millis(100), "{:?}", before.elapsed());
    assert!(world.log.compared().is_empty(), "the newcomer's head says it all");
    second.stays_quiet_for(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_a_little_later_causes_no_read() {
    let world = repaired_world();
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    let late = world.commit();
    drop(world.subscribe("bob", StartPosition::Now).await);
    world.publish(late);
    assert_eq!(subscriber.positions(1).await, [2]);
    subscriber.stays_quiet_for(Duration::from_secs(1)).await;
    assert!(world.log.reads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_repair_ends_with_the_hub() {
    let world = World::with_past(1);
    let repair = tokio::spawn(run_repair(Arc::clone(&world.hub), Arc::clone(&world.log) as _));
    tokio::task::yield_now().await;
    world.hub.shutdown();
    tokio::time::timeout(Duration::from_secs(1), repair).await.expect("it ends at once").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_thousand_streams_with_the_same_gap_share_reads() {
    let world = World::with_past(1);
    let mut subscribers = Vec::new();
    for _ in 0..1_000 {
        subscribers.push(world.subscribe("alice", StartPosition::Now).await);
    }
    for _ in 0..300 {
        world.happen();
    }
    world.log.slow_down(Duration::from_millis(1));
    let catching_up = subscribers.into_iter().map(|mut subscriber| {
        tokio::spawn(async move { assert_eq!(subscriber.positions(300).await, (2..=301).collect::<Vec<_>>()) })
    });
    for subscriber in catching_up.collect::<Vec<_>>() {
        subscriber.await.unwrap();
    }
    assert_eq!(world.log.reads().len(), 3, "three pages of a hundred");
}

#[tokio::test(start_paused = true)]
async fn a_shared_read_that_fails_fails_for_all_and_is_tried_again() {
    let world = World::with_past(3);
    let mut first = world.subscribe("alice", after(0)).await;
    let mut second = world.subscribe("bob", after(0)).await;
    world.log.slow_down(Duration::from_millis(1));
    world.log.fail(true);
    let (one, other) = tokio::join!(first.recv(), second.recv());
    assert!(one.is_err() && other.is_err());
    assert_eq!(world.log.reads().len(), 1);
    world.log.fail(false);
    assert_eq!(first.positions(3).await, [1, 2, 3]);
    assert_eq!(second.positions(3).await, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_outcome_says_what_was_missed() {
    let world = World::with_past(5);
    assert_eq!(world.subscribe("alice", StartPosition::Now).await.outcome.replay, Replay::Fresh);
    assert_eq!(world.subscribe("alice", after(2)).await.outcome.replay, Replay::Complete { missed: 3 });
    let ahead = chat_domain::ports::SubscribeRequest {
        fallback: ReplayFallback::StartNow,
        ..subscribe_request(session(), "alice", after(6))
    };
    let mut ahead = TestSubscriber::of(world.feed.subscribe(ahead).await.unwrap());
    assert_eq!(ahead.outcome.replay, Replay::Unavailable(ReplayUnavailable::AheadOfSession));
    assert_eq!(ahead.outcome.head, Seq::new(5));
    world.happen();
    assert_eq!(ahead.positions(1).await, [6]);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_socket_is_closed_before_or_after_it_subscribes() {
    let world = World::with_past(1);
    let mut old = world.subscribe("alice", after(0)).await;
    world.hub.close_replaced(session(), socket(0));
    assert_eq!(old.end().await, StreamCloseReason::Replaced);
    assert_eq!(old.end().await, StreamCloseReason::Replaced, "after the end, the end again");
    world.hub.close_replaced(session(), socket(7));
    let late = chat_domain::ports::SubscribeRequest {
        socket: socket(7),
        ..subscribe_request(session(), "alice", StartPosition::Now)
    };
    assert_eq!(TestSubscriber::of(world.feed.subscribe(late).await.unwrap()).end().await, StreamCloseReason::Replaced);
}

#[tokio::test(start_paused = true)]
async fn a_stop_by_unsubscribing_reaches_the_other_nodes() {
    let world = World::with_past(1);
    let others = Arc::new(RecordingPeers::default());
    world.hub.set_peer_notifier(Arc::clone(&others) as _);
    let bob = world.subscribe("bob", StartPosition::Now).await;
    world.type_as("bob", true);
    assert!(matches!(others.take().as_slice(), [event] if event.is_typing && !event.by_node));
    drop(bob);
    let said = others.take();
    let [event] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((event.is_typing, event.by_node, &event.user_id), (false, true, &fixtures::bob().id));
}

#[tokio::test(start_paused = true)]
async fn doubled_and_late_events_of_other_nodes_are_returned_once() {
    let world = World::with_past(1);
    let mut subscriber = world.subscribe("alice", StartPosition::Now).await;
    let [second, third] = [world.commit(), world.commit()];
    for event in [&third, &second, &third, &second] {
        world.hub.deliver(PeerEvent::Durable(event.clone()));
    }
    assert_eq!(subscriber.next().await, Received::Seq(2));
    assert_eq!(subscriber.next().await, Received::Seq(3));
    subscriber.stays_quiet_for(Duration::from_secs(1)).await;
    assert!(world.log.reads().is_empty());
}

/// Records the typing events for the other nodes.
#[derive(Default)]
struct RecordingPeers(Mutex<Vec<PeerTyping>>);

impl RecordingPeers {
    fn take(&self) -> Vec<PeerTyping> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl PeerNotifier for RecordingPeers {
    fn publish(&self, event: PeerTyping) {
        self.0.lock().unwrap().push(event);
    }
}

#[tokio::test(start_paused = true)]
async fn subscriptions_beyond_the_budget_of_their_socket_read_the_log_and_lose_nothing() {
    // Not one event may wait: every one of them is read from the log.
    for socket_bytes in [0, 2_000, 1024 * 1024] {
        let world = World::with(HubSettings { socket_bytes, page_events: 3, ..HubSettings::default() });
        world.commit_many(2);
        let mut subscribers = Vec::new();
        for number in 1..=5 {
            let request = chat_domain::ports::SubscribeRequest {
                socket: socket(number),
                part_of: Some(socket(9)),
                ..subscribe_request(session(), "alice", after(0))
            };
            subscribers.push(TestSubscriber::of(world.feed.subscribe(request).await.unwrap()));
        }
        for _ in 0..20 {
            world.happen();
        }
        // One of them leaves with what it has.
        assert_eq!(subscribers[0].positions(2).await, [1, 2]);
        subscribers.remove(0);
        // They read at the same time, each in its turn.
        let all = subscribers.iter_mut().map(|subscriber| subscriber.positions(22));
        for positions in futures_util::future::join_all(all).await {
            assert_eq!(positions, (1..=22).collect::<Vec<_>>(), "{socket_bytes} bytes");
        }
        world.happen();
        for subscriber in &mut subscribers {
            assert_eq!(subscriber.positions(1).await, [23]);
        }
    }
}
