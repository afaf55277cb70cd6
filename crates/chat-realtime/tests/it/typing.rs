//! Which sockets get typing events, how often, and how typing ends.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{LiveEvent, Timestamp};
use chat_domain::ports::StartPosition;
use chat_realtime::internals::{TypingNotice, TypingOrigin, TypingTable};
use chat_realtime::{HubSettings, PeerTyping, TypingRules, run_typing_expiry};
use chat_testkit::fixtures;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::{Instant, advance};

use crate::support::{Received, World, session, typing, user};

fn types(id: &str) -> Received {
    Received::Typing(id.to_owned(), true)
}

fn stops(id: &str) -> Received {
    Received::Typing(id.to_owned(), false)
}

/// A world with one change in session 1 and the expiry running.
fn world() -> World {
    let world = World::with_past(1);
    tokio::spawn(run_typing_expiry(Arc::clone(&world.hub)));
    world
}

#[tokio::test(start_paused = true)]
async fn typing_reaches_every_socket_but_the_typists() {
    let world = world();
    let mut bob = world.subscribe("bob", StartPosition::Now).await;
    let mut bob_elsewhere = world.subscribe("bob", StartPosition::Now).await;
    let mut alice = world.subscribe("alice", StartPosition::Now).await;
    let mut root = world.subscribe("root", StartPosition::Now).await;
    for (is_typing, received) in [(true, types("bob")), (false, stops("bob"))] {
        world.type_as("bob", is_typing);
        for subscriber in [&mut alice, &mut root] {
            assert_eq!(subscriber.next().await, received);
        }
        advance(Duration::from_secs(2)).await;
    }
    for subscriber in [&mut bob, &mut bob_elsewhere] {
        subscriber.stays_quiet_for(Duration::from_secs(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn repeated_typing_is_delivered_every_two_seconds() {
    let world = world();
    let mut alice = world.subscribe("alice", StartPosition::Now).await;
    let started = Instant::now();
    let mut received_at = Vec::new();
    for _ in 0..21 {
        world.type_as("bob", true);
        if let Ok(event) = tokio::time::timeout(Duration::from_millis(200), alice.event()).await {
            assert_eq!(Received::of(&event), types("bob"));
            received_at.push(started.elapsed().as_millis());
            advance(Duration::from_millis(200)).await;
        }
    }
    assert_eq!(received_at, [0, 2_000, 4_000]);
}

#[tokio::test(start_paused = true)]
async fn alternating_typing_is_limited_and_ends_with_the_last_state() {
    for events in [100, 101] {
        let world = world();
        let mut alice = world.subscribe("alice", StartPosition::Now).await;
        let started = Instant::now();
        for n in 0..events {
            world.type_as("bob", n % 2 == 0);
        }
        assert_eq!(alice.next().await, types("bob"));
        assert_eq!(started.elapsed(), Duration::ZERO);
        // The last typing event, when its time has come: a stop after 100 events, a start after 101.
        assert_eq!(alice.next().await, if events == 100 { stops("bob") } else { types("bob") });
        let waited = started.elapsed();
        assert!(waited >= Duration::from_secs(2) && waited <= Duration::from_millis(2_300), "{waited:?}");
        if events == 101 {
            assert_eq!(alice.next().await, stops("bob"));
            assert!(started.elapsed() >= Duration::from_secs(10), "by itself, after the silence");
        }
        alice.stays_quiet_for(Duration::from_mins(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn alternating_typing_is_delivered_every_two_seconds() {
    let world = world();
    let mut alice = world.subscribe("alice", StartPosition::Now).await;
    let started = Instant::now();
    let mut received_at = Vec::new();
    for n in 0..600 {
        world.type_as("bob", n % 2 == 0);
        let next_word = Instant::now() + Duration::from_millis(100);
        while let Ok(_event) = tokio::time::timeout_at(next_word, alice.event()).await {
            received_at.push(started.elapsed().as_millis());
        }
    }
    assert!(received_at.windows(2).all(|pair| pair[1] >= pair[0] + 2_000), "{received_at:?}");
    assert!(received_at.len() > 20, "{received_at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_without_a_shown_start_is_delivered_once() {
    let world = world();
    let mut alice = world.subscribe("alice", StartPosition::Now).await;
    for _ in 0..3 {
        world.type_as("bob", false);
    }
    assert_eq!(alice.next().await, stops("bob"));
    alice.stays_quiet_for(Duration::from_secs(20)).await;
    // If a subscriber's full queue dropped the stop, a later repetition of it puts the subscriber right.
    world.type_as("bob", false);
    assert_eq!(alice.next().await, stops("bob"));
}

#[tokio::test(start_paused = true)]
async fn typing_ends_ten_seconds_after_the_last_start() {
    let world = world();
    let mut alice = world.subscribe("alice", StartPosition::Now).await;
    world.type_as("bob", true);
    assert_eq!(alice.next().await, types("bob"));
    advance(Duration::from_secs(1)).await;
    // Too soon to be delivered at once, but it keeps the typing alive.
    world.type_as("bob", true);
    let last_word = Instant::now();
    assert_eq!(alice.next().await, types("bob"));
    assert_eq!(alice.next().await, stops("bob"));
    let silence = last_word.elapsed();
    assert!(silence >= Duration::from_secs(10) && silence <= Duration::from_millis(10_300), "{silence:?}");
    assert_eq!(world.hub.typists(), 0);
    alice.stays_quiet_for(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn typing_ends_with_the_typists_last_stream() {
    let world = world();
    let mut alice = world.subscribe("alice", StartPosition::Now).await;
    let bob = world.subscribe("bob", StartPosition::Now).await;
    let bob_elsewhere = world.subscribe("bob", StartPosition::Now).await;
    world.type_as("bob", true);
    assert_eq!(alice.next().await, types("bob"));
    drop(bob);
    alice.stays_quiet_for(Duration::from_secs(1)).await;
    drop(bob_elsewhere);
    assert_eq!(alice.next().await, stops("bob"));
    assert_eq!(world.hub.typists(), 0);
    drop(world.subscribe("bob", StartPosition::Now).await);
    alice.stays_quiet_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn closing_the_session_forgets_its_typists() {
    let world = world();
    let mut alice = world.subscribe("alice", StartPosition::Now).await;
    world.type_as("bob", true);
    world.close_session();
    assert_eq!(alice.next().await, types("bob"));
    assert_eq!(alice.next().await, Received::Seq(2));
    assert_eq!(world.hub.typists(), 0);
    alice.stays_quiet_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_ends_its_authors_typing_where_it_was_seen() {
    let world = world();
    let mut bob = world.subscribe("bob", StartPosition::Now).await;
    let mut root = world.subscribe("root", StartPosition::Now).await;
    world.type_as("alice", true);
    world.type_as("carol", true);
    world.happen();
    for subscriber in [&mut bob, &mut root] {
        assert_eq!(subscriber.next().await, types("alice"));
        assert_eq!(subscriber.next().await, types("carol"));
        assert_eq!(subscriber.next().await, Received::Seq(2));
        assert_eq!(subscriber.next().await, stops("alice"));
    }
    assert_eq!(world.hub.typists(), 1, "another one types on");
    // The next message finds them not typing.
    world.happen();
    for subscriber in [&mut bob, &mut root] {
        assert_eq!(subscriber.next().await, Received::Seq(3));
        assert_eq!(subscriber.next().await, stops("carol"));
        subscriber.stays_quiet_for(Duration::from_mins(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_without_seen_typing_comes_alone() {
    let world = world();
    world.type_as("alice", true);
    let mut bob = world.subscribe("bob", StartPosition::Now).await;
    world.happen();
    assert_eq!(bob.next().await, Received::Seq(2));
    bob.stays_quiet_for(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn typing_after_a_message_is_shown_after_two_seconds() {
    let world = world();
    let mut bob = world.subscribe("bob", StartPosition::Now).await;
    world.type_as("alice", true);
    world.happen();
    world.type_as("alice", true);
    let started = Instant::now();
    for received in [types("alice"), Received::Seq(2), stops("alice"), types("alice")] {
        assert_eq!(bob.next().await, received);
    }
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    // What waited when the message came is not said after it.
    world.happen();
    world.type_as("alice", true);
    world.happen();
    for received in [Received::Seq(3), stops("alice"), Received::Seq(4)] {
        assert_eq!(bob.next().await, received);
    }
    bob.stays_quiet_for(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn typing_without_subscriptions_is_not_kept() {
    let world = world();
    world.type_as("bob", true);
    assert_eq!(world.hub.typists(), 0);
    let mut alice = world.subscribe("alice", StartPosition::Now).await;
    alice.stays_quiet_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn the_number_of_typists_is_bounded() {
    let typing_rules = TypingRules { max_typists: 3, ..TypingRules::default() };
    let world = World::with(HubSettings { typing: typing_rules, ..HubSettings::default() });
    world.commit();
    let mut alice = world.subscribe("alice", StartPosition::Now).await;
    for n in 0..10 {
        world.type_as(&format!("admin-{n}"), true);
    }
    assert_eq!(world.hub.typists(), 3);
    for n in 0..3 {
        assert_eq!(alice.next().await, types(&format!("admin-{n}")));
    }
    alice.stays_quiet_for(Duration::from_secs(1)).await;
}

fn typing_event(is_typing: bool) -> PeerTyping {
    match typing("bob", is_typing) {
        LiveEvent::Typing(event) => event.into(),
        LiveEvent::Durable(_) => unreachable!(),
    }
}

/// A table that takes bob's typing on this node, and has subscribers.
struct Table(TypingTable);

impl Table {
    fn new(rules: TypingRules) -> Self {
        Self(TypingTable::new(rules))
    }

    fn on_typing(&mut self, is_typing: bool, now: Timestamp) -> Option<bool> {
        let notice = self.0.on_typing(&typing_event(is_typing), TypingOrigin::ThisNode, true, now);
        notice.map(|notice| notice.event.is_typing)
    }

    fn tick(&mut self, now: Timestamp) -> Vec<bool> {
        self.0.tick(|_, _| true, now).into_iter().map(|notice| notice.event.is_typing).collect()
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_prolong_typing() {
    let mut table = Table::new(TypingRules::default());
    assert_eq!(table.on_typing(true, fixtures::at(7_200)), Some(true));
    assert_eq!(table.tick(fixtures::at(0)), []);
    assert_eq!(table.on_typing(true, fixtures::at(1)), None);
    assert_eq!(table.tick(fixtures::at(2)), [true], "no event waits for hours");
    assert_eq!(table.tick(fixtures::at(10)), []);
    assert_eq!(table.tick(fixtures::at(11)), [false]);
    assert_eq!(table.tick(fixtures::at(15)), []);
    assert!(table.0.is_empty());
}

#[test]
fn a_table_for_no_typists_stays_empty() {
    let mut table = Table::new(TypingRules { max_typists: 0, ..TypingRules::default() });
    assert_eq!(table.on_typing(true, fixtures::at(0)), None);
    assert!(table.0.is_empty());
    assert_eq!(table.0.on_leave(session(), &user("bob"), fixtures::at(0)), None);
}

/// Bob types at the first node and stops at the second a second later; their clocks are at these milliseconds then.
/// Returns whether each node shows him as typing once all events are delivered.
fn shown_by_nodes_at(first_clock: u64, second_clock: u64) -> [bool; 2] {
    let rules = TypingRules::default();
    let (mut first, mut second) = (TypingTable::new(rules), TypingTable::new(rules));
    let moment = |ms| fixtures::start().plus(Duration::from_millis(ms));
    let said = |is_typing, ms| PeerTyping { at: moment(ms), ..typing_event(is_typing) };

    let start = first.on_typing(&said(true, first_clock), TypingOrigin::ThisNode, true, moment(first_clock)).unwrap();
    assert!(start.to_peers);
    assert!(second.on_typing(&start.event, TypingOrigin::OtherNode, true, moment(second_clock)).is_some());
    let stop = said(false, second_clock + 1_000);
    assert_eq!(second.on_typing(&stop, TypingOrigin::ThisNode, true, moment(second_clock + 1_000)), None, "it waits");

    let mut shown = [true, true];
    for passed in (1_250..9_000).step_by(250) {
        for notice in second.tick(|_, _| true, moment(second_clock + passed)) {
            shown[1] = notice.event.is_typing;
            if notice.to_peers {
                let received =
                    first.on_typing(&notice.event, TypingOrigin::OtherNode, true, moment(first_clock + passed));
                shown[0] = received.map_or(shown[0], |notice| notice.event.is_typing);
            }
        }
        for notice in first.tick(|_, _| true, moment(first_clock + passed)) {
            shown[0] = notice.event.is_typing;
            if notice.to_peers {
                let received =
                    second.on_typing(&notice.event, TypingOrigin::OtherNode, true, moment(second_clock + passed));
                shown[1] = received.map_or(shown[1], |notice| notice.event.is_typing);
            }
        }
    }
    shown
}

#[test]
fn a_stop_on_a_node_with_a_late_clock_is_newer_than_its_start() {
    assert_eq!(shown_by_nodes_at(3_000, 0), [false, false], "3 seconds behind");
    assert_eq!(shown_by_nodes_at(0, 3_000), [false, false], "3 seconds ahead");
    assert_eq!(shown_by_nodes_at(0, 0), [false, false]);
}

/// What bob does, and how many milliseconds pass before it.
#[derive(Clone, Copy, Debug)]
enum Act {
    Says(bool, TypingOrigin),
    Sends,
    Leaves,
}

fn acts() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let act = prop_oneof![
        6 => (any::<bool>(), prop_oneof![Just(TypingOrigin::ThisNode), Just(TypingOrigin::OtherNode)])
            .prop_map(|(is_typing, origin)| Act::Says(is_typing, origin)),
        1 => Just(Act::Sends),
        1 => Just(Act::Leaves),
    ];
    vec((0..1_500_u64, act), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a person does: subscribers are notified at most once in two seconds, messages aside, and within two
    /// seconds they have the last state.
    #[test]
    fn the_last_typing_state_arrives_and_few_before_it(acts in acts()) {
        let rules = TypingRules::default();
        let mut table = TypingTable::new(rules);
        let mut now = 0_u64;
        let moment = |ms| fixtures::start().plus(Duration::from_millis(ms));
        // The state that subscribers were last notified of, the last state of the person, and when.
        let (mut notified, mut notified_at, mut last, mut last_at) = (false, None::<u64>, false, 0);
        let mut told_nodes_at = None::<u64>;
        let done = acts.len();
        for (index, (pause, act)) in acts.into_iter().chain([(20_000, Act::Leaves)]).enumerate() {
            for _ in 0..pause {
                now += 1;
                if !now.is_multiple_of(250) {
                    continue;
                }
                for notice in table.tick(|_, _| true, moment(now)) {
                    if notice.to_peers {
                        prop_assert!(told_nodes_at.is_none_or(|at| now - at >= 2_000), "nodes at {now}");
                        told_nodes_at = Some(now);
                    }
                    if notice.to_sockets {
                        prop_assert!(notified_at.is_none_or(|at| now - at >= 2_000), "{notice:?} at {now} after {notified_at:?}");
                        (notified, notified_at) = (notice.event.is_typing, Some(now));
                    }
                }
                if now - last_at >= 2_500 && now - last_at < 9_500 {
                    prop_assert_eq!(notified, last, "the last typing event arrives, at {}", now);
                }
                if now - last_at >= 12_500 {
                    prop_assert!(!notified, "typing times out, at {}", now);
                }
            }
            if index == done {
                break;
            }
            match act {
                Act::Says(is_typing, origin) => {
                    (last, last_at) = (is_typing, now);
                    let typing_event = PeerTyping { at: moment(now), ..typing_event(is_typing) };
                    if let Some(notice) = table.on_typing(&typing_event, origin, true, moment(now)) {
                        prop_assert!(notified_at.is_none_or(|at| now - at >= 2_000), "{notice:?} at {now} after {notified_at:?}");
                        (notified, notified_at) = (is_typing, Some(now));
                        if notice.to_peers {
                            prop_assert!(told_nodes_at.is_none_or(|at| now - at >= 2_000), "nodes at {now}");
                            told_nodes_at = Some(now);
                        }
                    }
                }
                Act::Sends => {
                    (last, last_at) = (false, now);
                    if table.on_message(session(), &user("bob"), moment(now)).is_some() {
                        prop_assert!(notified, "no stop without a start");
                        (notified, notified_at) = (false, Some(now));
                    }
                    prop_assert!(!notified, "a message ends typing at once");
                }
                Act::Leaves => {
                    (last, last_at) = (false, now);
                    let _for_other_nodes = table.on_leave(session(), &user("bob"), moment(now));
                }
            }
        }
        prop_assert!(table.is_empty(), "nothing is remembered of who says nothing");
    }

    /// The same when a person's requests come to one of three nodes after the other, which receive each other without
    /// delay: a typing event waits at the node that it comes to, and then at the others. No two are of the same moment.
    #[test]
    fn the_last_typing_state_arrives_on_every_node(events in vec((1..1_500_u64, 0..3_usize, any::<bool>()), 1..60)) {
        let mut tables: Vec<_> = (0..3).map(|_| TypingTable::new(TypingRules::default())).collect();
        let moment = |ms| fixtures::start().plus(Duration::from_millis(ms));
        let mut notified = [(false, None::<u64>); 3];
        let (mut now, mut last, mut last_at) = (0_u64, false, 0);
        let pauses = events.into_iter().map(|(pause, node, is_typing)| (pause, Some((node, is_typing))));
        for (pause, said) in pauses.chain([(20_000, None)]) {
            for _ in 0..pause {
                now += 1;
                if !now.is_multiple_of(250) {
                    continue;
                }
                for node in 0..3 {
                    let notices = tables[node].tick(|_, _| true, moment(now)).into_iter();
                    deliver(&mut tables, &mut notified, notices.map(|notice| (node, notice)).collect(), now)?;
                }
                if now - last_at >= 6_000 && now - last_at < 9_500 {
                    prop_assert!(notified.iter().all(|(notified, _)| *notified == last), "{notified:?} at {now}, last {last}");
                }
            }
            if let Some((node, is_typing)) = said {
                (last, last_at) = (is_typing, now);
                let typing_event = PeerTyping { at: moment(now), ..typing_event(is_typing) };
                let notice = tables[node].on_typing(&typing_event, TypingOrigin::ThisNode, true, moment(now));
                deliver(&mut tables, &mut notified, notice.map(|notice| (node, notice)).into_iter().collect(), now)?;
            }
        }
        prop_assert!(notified.iter().all(|(notified, _)| !notified), "typing times out");
        prop_assert!(tables.iter().all(TypingTable::is_empty), "nothing is remembered of who says nothing");
    }
}

/// Delivers notices to the subscribers of their nodes and to the other nodes, and checks that none gets too many.
fn deliver(
    tables: &mut [TypingTable],
    notified: &mut [(bool, Option<u64>)],
    mut notices: Vec<(usize, TypingNotice)>,
    now: u64,
) -> Result<(), TestCaseError> {
    let at = fixtures::start().plus(Duration::from_millis(now));
    while let Some((node, notice)) = notices.pop() {
        if notice.to_sockets {
            let Some(notified) = notified.get_mut(node) else { unreachable!() };
            prop_assert!(
                notified.1.is_none_or(|at| now - at >= 2_000),
                "{notice:?} on {node} at {now} after {notified:?}"
            );
            *notified = (notice.event.is_typing, Some(now));
        }
        if notice.to_peers {
            for (other, table) in tables.iter_mut().enumerate().filter(|(other, _)| *other != node) {
                let received = table.on_typing(&notice.event, TypingOrigin::OtherNode, true, at);
                notices.extend(received.map(|notice| (other, notice)));
            }
        }
    }
    Ok(())
}

/// How typing ends, and the stop that it publishes at once.
type TypingEnd<'a> = &'a dyn Fn(&mut TypingTable) -> Option<PeerTyping>;

#[test]
fn a_stop_is_later_than_its_start_on_every_node() {
    let rules = TypingRules::default();
    let start = Timestamp::from_unix_ms(fixtures::START);
    let typed = PeerTyping { session_id: session(), user_id: user("bob"), is_typing: true, at: start, by_node: false };
    let stop_of = |end: TypingEnd<'_>| {
        let mut table = TypingTable::new(rules);
        table.on_typing(&typed, TypingOrigin::OtherNode, true, start).unwrap();
        let at_once = end(&mut table);
        let later = table.tick(|_, _| true, start.plus(Duration::from_mins(1)));
        at_once.or_else(|| later.into_iter().map(|notice| notice.event).find(|event| !event.is_typing)).unwrap()
    };
    let stop = PeerTyping { is_typing: false, ..typed.clone() };
    let of_the_node = PeerTyping { by_node: true, ..stop.clone() };
    // All at the same moment as the start, by the clocks of the nodes.
    let ends: [TypingEnd<'_>; 5] = [
        &|table| table.on_typing(&stop, TypingOrigin::OtherNode, true, start).map(|notice| notice.event),
        &|table| table.on_typing(&of_the_node, TypingOrigin::OtherNode, true, start).map(|notice| notice.event),
        &|table| table.on_message(session(), &user("bob"), start),
        &|table| table.on_leave(session(), &user("bob"), start),
        &|_| None,
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let stop = stop_of(end);
        assert!(!stop.is_typing && stop.at > start, "{number}: {stop:?}");
    }
}
