//! Who hears of typing, how often, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{LiveEvent, TypingEvent};
use chat_domain::ports::Start;
use chat_realtime::internals::{Ended, Said, TypingTable};
use chat_realtime::{HubSettings, TypingRules, run_typing_expiry};
use chat_testkit::fixtures;
use tokio::time::{Instant, advance};

use crate::support::{Heard, World, session, typing, user};

fn types(id: &str) -> Heard {
    Heard::Typing(id.to_owned(), true)
}

fn stops(id: &str) -> Heard {
    Heard::Typing(id.to_owned(), false)
}

/// A world with one change in session 1 and the expiry running.
fn world() -> World {
    let world = World::with_past(1);
    tokio::spawn(run_typing_expiry(Arc::clone(&world.hub)));
    world
}

#[tokio::test(start_paused = true)]
async fn typing_reaches_every_watcher_but_the_typist() {
    let world = world();
    let mut bob = world.follow("bob", Start::Now).await;
    let mut bob_elsewhere = world.follow("bob", Start::Now).await;
    let mut alice = world.follow("alice", Start::Now).await;
    let mut root = world.follow("root", Start::Now).await;
    world.type_as("bob", true);
    world.type_as("bob", false);
    for watcher in [&mut alice, &mut root] {
        assert_eq!(watcher.next().await, types("bob"));
        assert_eq!(watcher.next().await, stops("bob"));
    }
    for watcher in [&mut bob, &mut bob_elsewhere] {
        watcher.hears_nothing_for(Duration::from_secs(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn repeated_typing_is_spread_every_two_seconds() {
    let world = world();
    let mut alice = world.follow("alice", Start::Now).await;
    let started = Instant::now();
    let mut heard_at = Vec::new();
    for _ in 0..21 {
        world.type_as("bob", true);
        if let Ok(event) = tokio::time::timeout(Duration::from_millis(200), alice.event()).await {
            assert_eq!(Heard::of(&event), types("bob"));
            heard_at.push(started.elapsed().as_millis());
            advance(Duration::from_millis(200)).await;
        }
    }
    assert_eq!(heard_at, [0, 2_000, 4_000]);
}

#[tokio::test(start_paused = true)]
async fn stopping_is_spread_every_time() {
    let world = world();
    let mut alice = world.follow("alice", Start::Now).await;
    world.type_as("bob", false);
    world.type_as("bob", true);
    world.type_as("bob", false);
    world.type_as("bob", true);
    world.type_as("bob", false);
    world.type_as("bob", false);
    for expected in [stops("bob"), types("bob"), stops("bob"), types("bob"), stops("bob"), stops("bob")] {
        assert_eq!(alice.next().await, expected);
    }
    alice.hears_nothing_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn typing_ends_by_itself_ten_seconds_after_the_last_word() {
    let world = world();
    let mut alice = world.follow("alice", Start::Now).await;
    world.type_as("bob", true);
    assert_eq!(alice.next().await, types("bob"));
    advance(Duration::from_secs(1)).await;
    // Too soon to be spread again, but it keeps the typing alive.
    world.type_as("bob", true);
    let last_word = Instant::now();
    assert_eq!(alice.next().await, stops("bob"));
    let silence = last_word.elapsed();
    assert!(silence >= Duration::from_secs(10) && silence <= Duration::from_millis(10_300), "{silence:?}");
    assert_eq!(world.hub.typists(), 0);
    alice.hears_nothing_for(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn typing_ends_when_the_last_stream_of_the_typist_goes_away() {
    let world = world();
    let mut alice = world.follow("alice", Start::Now).await;
    let bob = world.follow("bob", Start::Now).await;
    let bob_elsewhere = world.follow("bob", Start::Now).await;
    world.type_as("bob", true);
    assert_eq!(alice.next().await, types("bob"));
    drop(bob);
    alice.hears_nothing_for(Duration::from_secs(1)).await;
    drop(bob_elsewhere);
    assert_eq!(alice.next().await, stops("bob"));
    assert_eq!(world.hub.typists(), 0);
    drop(world.follow("bob", Start::Now).await);
    alice.hears_nothing_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn closing_the_session_forgets_who_types() {
    let world = world();
    let mut alice = world.follow("alice", Start::Now).await;
    world.type_as("bob", true);
    world.close_session();
    assert_eq!(alice.next().await, types("bob"));
    assert_eq!(alice.next().await, Heard::Seq(2));
    assert_eq!(world.hub.typists(), 0);
    alice.hears_nothing_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_does_not_end_typing() {
    let world = world();
    let mut alice = world.follow("alice", Start::Now).await;
    world.type_as("bob", true);
    world.happen();
    assert_eq!(alice.next().await, types("bob"));
    assert_eq!(alice.next().await, Heard::Seq(2));
    alice.hears_nothing_for(Duration::from_secs(9)).await;
    assert_eq!(alice.next().await, stops("bob"));
}

#[tokio::test(start_paused = true)]
async fn typing_that_nobody_watches_is_not_remembered() {
    let world = world();
    world.type_as("bob", true);
    assert_eq!(world.hub.typists(), 0);
    let mut alice = world.follow("alice", Start::Now).await;
    alice.hears_nothing_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn the_number_of_typists_is_bounded() {
    let typing_rules = TypingRules { max_typists: 3, ..TypingRules::default() };
    let world = World::with(HubSettings { typing: typing_rules, ..HubSettings::default() });
    world.commit();
    let mut alice = world.follow("alice", Start::Now).await;
    for n in 0..10 {
        world.type_as(&format!("admin-{n}"), true);
    }
    assert_eq!(world.hub.typists(), 3);
    for n in 0..3 {
        assert_eq!(alice.next().await, types(&format!("admin-{n}")));
    }
    alice.hears_nothing_for(Duration::from_secs(1)).await;
}

fn word(is_typing: bool) -> TypingEvent {
    match typing("bob", is_typing) {
        LiveEvent::Typing(word) => word,
        LiveEvent::Durable(_) => unreachable!(),
    }
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_typing() {
    let mut table = TypingTable::new(TypingRules::default());
    assert_eq!(table.hear(&word(true), fixtures::at(7_200)), Said::Spread);
    assert!(table.tick(fixtures::at(0)).is_empty());
    assert_eq!(table.hear(&word(true), fixtures::at(1)), Said::Spread, "the throttle does not last for hours");
    assert!(table.tick(fixtures::at(10)).is_empty());
    let ended = table.tick(fixtures::at(11));
    let word = TypingEvent { at: fixtures::at(11), ..word(false) };
    assert_eq!(ended, [Ended { word, vouched: false }]);
    assert!(table.is_empty());
}

#[test]
fn a_table_without_room_for_anyone_stays_empty() {
    let mut table = TypingTable::new(TypingRules { max_typists: 0, ..TypingRules::default() });
    assert_eq!(table.hear(&word(true), fixtures::at(0)), Said::Full);
    assert!(table.is_empty());
    assert_eq!(table.leave(session(), &user("bob"), fixtures::at(0)), None);
}
