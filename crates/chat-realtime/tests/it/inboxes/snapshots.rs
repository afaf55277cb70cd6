//! What a snapshot shows is not overtaken by what was known before it.

use std::time::Duration;

use chat_domain::model::{Principal, Priority, Seq};
use chat_domain::ports::MessageRepository;
use chat_testkit::fixtures::{alice, at, bob, session_id};
use tokio::time::sleep;

use super::{Desk, QUIET, READING, Step, World, with_agents};

/// A second inbox of the person opens at once, since its ranges are known, and its snapshot overtakes a reading.
async fn a_snapshot_overtakes_a_reading(person: &Principal, step: Step) {
    let world = World::new();
    with_agents(&world).await;
    let _first = world.open(person).await;
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    sleep(QUIET).await;
    world.act(&Step::Say(1, false, 1)).await;
    // The reading has begun, and finds the message alone.
    sleep(READING / 2).await;
    world.act(&step).await;
    let mut desk = world.open(person).await;
    desk.settle().await;
    desk.assert_true(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_does_not_leave_a_view_of_a_later_snapshot_for_a_moment() {
    a_snapshot_overtakes_a_reading(&bob(), Step::Claim(1, true)).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_a_snapshot_shows_as_ended_is_not_active_for_a_moment() {
    a_snapshot_overtakes_a_reading(&alice(), Step::Close(1)).await;
}

/// The client reads its views, and then takes what waits for it.
async fn assert_snapshots_are_not_overtaken(world: &World, mut desk: Desk) {
    desk.show_snapshots(world).await;
    desk.settle().await;
    desk.assert_true(world).await;
}

#[tokio::test(start_paused = true)]
async fn a_pending_update_is_not_shown_after_a_snapshot_of_the_ended_session() {
    let world = World::new();
    let mut desk = world.open(&alice()).await;
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    desk.settle().await;
    // It is read and pushed, and not taken yet.
    world.act(&Step::Say(1, false, 1)).await;
    sleep(READING * 4).await;
    world.lose_next_event();
    world.act(&Step::Close(1)).await;
    assert_snapshots_are_not_overtaken(&world, desk).await;
}

#[tokio::test(start_paused = true)]
async fn a_pending_update_of_an_ended_session_is_not_shown_after_a_later_snapshot() {
    let world = World::new();
    with_agents(&world).await;
    let mut desk = world.open(&alice()).await;
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    world.act(&Step::Claim(1, true)).await;
    world.act(&Step::Say(1, false, 1)).await;
    world.act(&Step::Say(1, true, 2)).await;
    world.act(&Step::Close(1)).await;
    desk.settle().await;
    let read = |reader| world.store.mark_read_up_to(session_id(1), reader, Seq::new(1_000), at(60));
    read(alice()).await.unwrap();
    sleep(READING * 4).await;
    world.lose_next_event();
    read(bob()).await.unwrap();
    assert_snapshots_are_not_overtaken(&world, desk).await;
}

#[tokio::test(start_paused = true)]
async fn no_update_is_older_than_the_snapshot_before_it() {
    let world = World::new();
    with_agents(&world).await;
    // With it the node knows all that the second one needs, which opens at once.
    let _first = world.open(&bob()).await;
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    sleep(Duration::from_secs(1)).await;
    world.act(&Step::Say(1, false, 1)).await;
    // The reading has begun, and finds the first message.
    sleep(READING / 2).await;
    world.act(&Step::Say(1, false, 2)).await;
    let mut desk = world.open(&bob()).await;
    // It fails if what it shows goes back.
    desk.settle().await;
    let (shown, counts) = world.truth(&desk.owner, &desk.views).await;
    assert_eq!((&desk.shown, desk.counts), (&shown, counts));
}
