//! Events that are lost without a later one to tell of it, what other nodes say, and readings that are shared.

use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use chat_domain::error::ReplayUnavailable;
use chat_domain::model::{LiveEvent, Seq};
use chat_domain::ports::{End, EventSink, Missed, Otherwise, Replay, SessionFeed, Start};
use chat_realtime::run_repair;
use chat_testkit::{RecordingNotifier, fixtures};
use futures_util::FutureExt;
use tokio::time::{Instant, advance};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{Heard, Watcher, World, after, connection, follow, message, session};

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
    let mut watcher = world.follow("alice", Start::Now).await;
    world.commit();
    let before = Instant::now();
    assert_eq!(watcher.positions(1).await, [2]);
    assert!(before.elapsed() <= Duration::from_millis(15_100), "{:?}", before.elapsed());
    watcher.hears_nothing_for(Duration::from_mins(1)).await;
    assert_eq!(world.log.reads().len(), 1, "who knows everything is not sent to the log again");
    assert!(world.log.compared().len() <= 6, "one look every 15 seconds: {:?}", world.log.compared());
}

#[tokio::test(start_paused = true)]
async fn a_reported_loss_is_repaired_within_a_fifth_of_a_second() {
    for missed in [Missed::Everywhere, Missed::Shard { index: session().shard(64), of: 64 }] {
        let world = repaired_world();
        let mut watcher = world.follow("alice", Start::Now).await;
        world.commit();
        for _ in 0..10 {
            world.hub.missed(missed);
        }
        let before = Instant::now();
        assert_eq!(watcher.positions(1).await, [2]);
        assert!(before.elapsed() <= Duration::from_millis(200), "{:?}", before.elapsed());
        assert_eq!(world.log.compared(), [1], "reports that come together are one");
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_are_compared_every_second_while_nobody_else_is_heard() {
    let world = repaired_world();
    let mut watcher = world.follow("alice", Start::Now).await;
    world.hub.heard(false);
    for seq in 2..=5 {
        world.commit();
        let before = Instant::now();
        assert_eq!(watcher.positions(1).await, [seq]);
        assert!(before.elapsed() <= Duration::from_millis(1_100), "{:?}", before.elapsed());
    }
    world.commit();
    world.hub.heard(true);
    let before = Instant::now();
    assert_eq!(watcher.positions(1).await, [6]);
    assert!(before.elapsed() <= Duration::from_millis(100), "looked at once: {:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_failing_log_is_asked_again_less_and_less_often_and_nothing_stays_lost() {
    let world = repaired_world();
    let mut watcher = world.follow("alice", Start::Now).await;
    world.log.fail(true);
    world.commit();
    world.hub.missed(Missed::Everywhere);
    watcher.hears_nothing_for(Duration::from_mins(1)).await;
    let asked = world.log.compared().len();
    assert!((10..25).contains(&asked), "asked {asked} times in a minute");
    world.log.fail(false);
    let before = Instant::now();
    assert_eq!(watcher.positions(1).await, [2]);
    assert!(before.elapsed() <= Duration::from_millis(5_100), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_hangs_is_given_up_after_five_seconds_and_asked_again() {
    let world = repaired_world();
    let mut watcher = world.follow("alice", Start::Now).await;
    world.log.hang_heads(true);
    world.commit();
    world.hub.missed(Missed::Everywhere);
    watcher.hears_nothing_for(Duration::from_secs(4)).await;
    assert_eq!(world.log.compared(), [1], "the first question is not given up too soon");
    watcher.hears_nothing_for(Duration::from_secs(56)).await;
    let asked = world.log.compared().len();
    assert!((6..12).contains(&asked), "asked {asked} times in a minute");
    world.log.hang_heads(false);
    let before = Instant::now();
    assert_eq!(watcher.positions(1).await, [2]);
    assert!(before.elapsed() <= Duration::from_millis(10_100), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn that_others_are_heard_again_is_logged_at_once() {
    let log = LogLines::default();
    let _here = tracing::subscriber::set_default(log.clone());
    let world = repaired_world();
    let said = |words: &str| log.0.lock().unwrap().iter().any(|line| line.contains(words));
    world.hub.heard(false);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(said("other nodes cannot be heard"));
    world.hub.heard(true);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(said("other nodes are heard again"));
}

/// A repair that has much to tell does not keep its thread from everyone else.
#[tokio::test(start_paused = true)]
async fn others_get_their_turn_while_many_are_told() {
    let world = World::new();
    let sessions: Vec<_> = (1..=1_000).map(fixtures::session_id).collect();
    let mut watchers = Vec::new();
    for &session in &sessions {
        world.happen_in(session);
        watchers.push(world.follow_in(session, "alice", Start::Now).await.unwrap());
        drop(world.log.commit(session, |seq| message(session, seq)));
    }
    tokio::spawn(run_repair(Arc::clone(&world.hub), Arc::clone(&world.log) as _));
    world.hub.missed(Missed::Everywhere);
    // A task like any other: what the test itself waits for has its turn less often.
    let counting = tokio::spawn(async move {
        let mut pending: Vec<_> = watchers.iter_mut().map(|watcher| Box::pin(watcher.event())).collect();
        // Time stands still unless everyone waits, so this lets it pass until the first are about to be told.
        tokio::time::sleep(Duration::from_millis(99)).await;
        advance(Duration::from_millis(2)).await;
        let mut turns = 0;
        for _ in 0..10_000 {
            let waiting = pending.len();
            pending.retain_mut(|event| event.as_mut().now_or_never().is_none());
            turns += usize::from(pending.len() < waiting);
            // Not the runtime's own yielding, which lasts until nobody else has anything to do.
            let mut yielded = false;
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        assert!(pending.is_empty(), "{} have not been told", pending.len());
        turns
    });
    let turns = counting.await.unwrap();
    assert!(turns >= 10, "a thousand were told in {turns} turns");
}

#[tokio::test(start_paused = true)]
async fn who_joins_later_does_not_hide_what_the_others_missed() {
    let world = repaired_world();
    let mut first = world.follow("alice", Start::Now).await;
    world.commit();
    let mut second = world.follow("bob", Start::Now).await;
    let before = Instant::now();
    assert_eq!(first.positions(1).await, [2]);
    assert!(before.elapsed() <= Duration::from_millis(100), "{:?}", before.elapsed());
    assert!(world.log.compared().is_empty(), "the newcomer's head says it all");
    second.hears_nothing_for(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_a_little_later_causes_no_reading() {
    let world = repaired_world();
    let mut watcher = world.follow("alice", Start::Now).await;
    let late = world.commit();
    drop(world.follow("bob", Start::Now).await);
    world.publish(late);
    assert_eq!(watcher.positions(1).await, [2]);
    watcher.hears_nothing_for(Duration::from_secs(1)).await;
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
async fn a_thousand_who_lost_the_same_share_their_readings() {
    let world = World::with_past(1);
    let mut watchers = Vec::new();
    for _ in 0..1_000 {
        watchers.push(world.follow("alice", Start::Now).await);
    }
    for _ in 0..300 {
        world.happen();
    }
    world.log.slow_down(Duration::from_millis(1));
    let catching_up = watchers.into_iter().map(|mut watcher| {
        tokio::spawn(async move { assert_eq!(watcher.positions(300).await, (2..=301).collect::<Vec<_>>()) })
    });
    for watcher in catching_up.collect::<Vec<_>>() {
        watcher.await.unwrap();
    }
    assert_eq!(world.log.reads().len(), 3, "three pages of a hundred");
}

#[tokio::test(start_paused = true)]
async fn a_shared_reading_that_fails_is_told_to_everyone_and_tried_again() {
    let world = World::with_past(3);
    let mut first = world.follow("alice", after(0)).await;
    let mut second = world.follow("bob", after(0)).await;
    world.log.slow_down(Duration::from_millis(1));
    world.log.fail(true);
    let (one, other) = tokio::join!(first.hear(), second.hear());
    assert!(one.is_err() && other.is_err());
    assert_eq!(world.log.reads().len(), 1);
    world.log.fail(false);
    assert_eq!(first.positions(3).await, [1, 2, 3]);
    assert_eq!(second.positions(3).await, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_opening_says_what_was_missed() {
    let world = World::with_past(5);
    assert_eq!(world.follow("alice", Start::Now).await.opening.replay, Replay::Fresh);
    assert_eq!(world.follow("alice", after(2)).await.opening.replay, Replay::Complete { missed: 3 });
    let ahead = chat_domain::ports::Follow { otherwise: Otherwise::StartNow, ..follow(session(), "alice", after(6)) };
    let mut ahead = Watcher::of(world.feed.follow(ahead).await.unwrap());
    assert_eq!(ahead.opening.replay, Replay::Unavailable(ReplayUnavailable::AheadOfSession));
    assert_eq!(ahead.opening.head, Seq::new(5));
    world.happen();
    assert_eq!(ahead.positions(1).await, [6]);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_connection_ends_whether_it_watches_already_or_not_yet() {
    let world = World::with_past(1);
    let mut old = world.follow("alice", after(0)).await;
    world.hub.replaced(session(), connection(0));
    assert_eq!(old.end().await, End::Replaced);
    assert_eq!(old.end().await, End::Replaced, "after the end, the end again");
    world.hub.replaced(session(), connection(7));
    let late = chat_domain::ports::Follow { connection: connection(7), ..follow(session(), "alice", Start::Now) };
    assert_eq!(Watcher::of(world.feed.follow(late).await.unwrap()).end().await, End::Replaced);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_typing_by_leaving_goes_to_the_other_nodes() {
    let world = World::with_past(1);
    let others = Arc::new(RecordingNotifier::new());
    world.hub.forward_to(Arc::clone(&others) as _);
    let bob = world.follow("bob", Start::Now).await;
    world.type_as("bob", true);
    assert!(matches!(others.take().as_slice(), [LiveEvent::Typing(word)] if word.is_typing && !word.by_node));
    drop(bob);
    let said = others.take();
    let [LiveEvent::Typing(word)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((word.is_typing, word.by_node, &word.user_id), (false, true, &fixtures::bob().id));
}

#[tokio::test(start_paused = true)]
async fn what_other_nodes_say_twice_or_late_is_given_out_once() {
    let world = World::with_past(1);
    let mut watcher = world.follow("alice", Start::Now).await;
    let [second, third] = [world.commit(), world.commit()];
    for event in [&third, &second, &third, &second] {
        world.hub.deliver(LiveEvent::Durable(event.clone()));
    }
    assert_eq!(watcher.next().await, Heard::Seq(2));
    assert_eq!(watcher.next().await, Heard::Seq(3));
    watcher.hears_nothing_for(Duration::from_secs(1)).await;
    assert!(world.log.reads().is_empty());
}
