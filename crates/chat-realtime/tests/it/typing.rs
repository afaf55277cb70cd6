//! Who hears of typing, how often, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{LiveEvent, Timestamp, TypingEvent};
use chat_domain::ports::Start;
use chat_realtime::internals::{Origin, TypingNotice, TypingTable};
use chat_realtime::{HubSettings, TypingRules, run_typing_expiry};
use chat_testkit::fixtures;
use proptest::collection::vec;
use proptest::prelude::*;
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
    for (is_typing, heard) in [(true, types("bob")), (false, stops("bob"))] {
        world.type_as("bob", is_typing);
        for watcher in [&mut alice, &mut root] {
            assert_eq!(watcher.next().await, heard);
        }
        advance(Duration::from_secs(2)).await;
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
async fn alternating_typing_reaches_others_once_in_two_seconds_and_ends_with_the_last_word() {
    for words in [100, 101] {
        let world = world();
        let mut alice = world.follow("alice", Start::Now).await;
        let started = Instant::now();
        for n in 0..words {
            world.type_as("bob", n % 2 == 0);
        }
        assert_eq!(alice.next().await, types("bob"));
        assert_eq!(started.elapsed(), Duration::ZERO);
        // The last word, when its time has come: a stop after 100 words, a start after 101.
        assert_eq!(alice.next().await, if words == 100 { stops("bob") } else { types("bob") });
        let waited = started.elapsed();
        assert!(waited >= Duration::from_secs(2) && waited <= Duration::from_millis(2_300), "{waited:?}");
        if words == 101 {
            assert_eq!(alice.next().await, stops("bob"));
            assert!(started.elapsed() >= Duration::from_secs(10), "by itself, after the silence");
        }
        alice.hears_nothing_for(Duration::from_mins(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn alternating_typing_over_a_minute_reaches_others_every_two_seconds() {
    let world = world();
    let mut alice = world.follow("alice", Start::Now).await;
    let started = Instant::now();
    let mut heard_at = Vec::new();
    for n in 0..600 {
        world.type_as("bob", n % 2 == 0);
        let next_word = Instant::now() + Duration::from_millis(100);
        while let Ok(_event) = tokio::time::timeout_at(next_word, alice.event()).await {
            heard_at.push(started.elapsed().as_millis());
        }
    }
    assert!(heard_at.windows(2).all(|pair| pair[1] >= pair[0] + 2_000), "{heard_at:?}");
    assert!(heard_at.len() > 20, "{heard_at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_shown_once_even_of_someone_who_was_not_shown_typing() {
    let world = world();
    let mut alice = world.follow("alice", Start::Now).await;
    for _ in 0..3 {
        world.type_as("bob", false);
    }
    assert_eq!(alice.next().await, stops("bob"));
    alice.hears_nothing_for(Duration::from_secs(20)).await;
    // A watcher whose full queue dropped it is put right by one that is repeated later.
    world.type_as("bob", false);
    assert_eq!(alice.next().await, stops("bob"));
}

#[tokio::test(start_paused = true)]
async fn typing_ends_by_itself_ten_seconds_after_the_last_word() {
    let world = world();
    let mut alice = world.follow("alice", Start::Now).await;
    world.type_as("bob", true);
    assert_eq!(alice.next().await, types("bob"));
    advance(Duration::from_secs(1)).await;
    // Too soon to be told at once, but it keeps the typing alive.
    world.type_as("bob", true);
    let last_word = Instant::now();
    assert_eq!(alice.next().await, types("bob"));
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
async fn a_message_ends_its_authors_typing_for_those_who_saw_it() {
    let world = world();
    let mut bob = world.follow("bob", Start::Now).await;
    let mut root = world.follow("root", Start::Now).await;
    world.type_as("alice", true);
    world.type_as("carol", true);
    world.happen();
    for watcher in [&mut bob, &mut root] {
        assert_eq!(watcher.next().await, types("alice"));
        assert_eq!(watcher.next().await, types("carol"));
        assert_eq!(watcher.next().await, Heard::Seq(2));
        assert_eq!(watcher.next().await, stops("alice"));
    }
    assert_eq!(world.hub.typists(), 1, "another one types on");
    // The next message finds them not typing.
    world.happen();
    for watcher in [&mut bob, &mut root] {
        assert_eq!(watcher.next().await, Heard::Seq(3));
        assert_eq!(watcher.next().await, stops("carol"));
        watcher.hears_nothing_for(Duration::from_mins(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_someone_whom_nobody_saw_typing_comes_alone() {
    let world = world();
    world.type_as("alice", true);
    let mut bob = world.follow("bob", Start::Now).await;
    world.happen();
    assert_eq!(bob.next().await, Heard::Seq(2));
    bob.hears_nothing_for(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn who_types_on_after_a_message_is_shown_when_two_seconds_have_passed() {
    let world = world();
    let mut bob = world.follow("bob", Start::Now).await;
    world.type_as("alice", true);
    world.happen();
    world.type_as("alice", true);
    let started = Instant::now();
    for heard in [types("alice"), Heard::Seq(2), stops("alice"), types("alice")] {
        assert_eq!(bob.next().await, heard);
    }
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    // What waited when the message came is not said after it.
    world.happen();
    world.type_as("alice", true);
    world.happen();
    for heard in [Heard::Seq(3), stops("alice"), Heard::Seq(4)] {
        assert_eq!(bob.next().await, heard);
    }
    bob.hears_nothing_for(Duration::from_mins(1)).await;
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

/// A table that hears what bob says here, and has watchers.
struct Table(TypingTable);

impl Table {
    fn new(rules: TypingRules) -> Self {
        Self(TypingTable::new(rules))
    }

    fn hear(&mut self, is_typing: bool, now: Timestamp) -> Option<bool> {
        let notice = self.0.hear(&word(is_typing), Origin::Here, true, now);
        notice.map(|notice| notice.word.is_typing)
    }

    fn tick(&mut self, now: Timestamp) -> Vec<bool> {
        self.0.tick(|_, _| true, now).into_iter().map(|notice| notice.word.is_typing).collect()
    }
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_typing() {
    let mut table = Table::new(TypingRules::default());
    assert_eq!(table.hear(true, fixtures::at(7_200)), Some(true));
    assert_eq!(table.tick(fixtures::at(0)), []);
    assert_eq!(table.hear(true, fixtures::at(1)), None);
    assert_eq!(table.tick(fixtures::at(2)), [true], "nobody waits for hours");
    assert_eq!(table.tick(fixtures::at(10)), []);
    assert_eq!(table.tick(fixtures::at(11)), [false]);
    assert_eq!(table.tick(fixtures::at(15)), []);
    assert!(table.0.is_empty());
}

#[test]
fn a_table_without_room_for_anyone_stays_empty() {
    let mut table = Table::new(TypingRules { max_typists: 0, ..TypingRules::default() });
    assert_eq!(table.hear(true, fixtures::at(0)), None);
    assert!(table.0.is_empty());
    assert_eq!(table.0.leave(session(), &user("bob"), fixtures::at(0)), None);
}

/// Bob types at the first node and stops at the second a second later; their clocks are at these milliseconds then.
/// Returns whether each node shows him as typing once all has been told.
fn shown_by_nodes_at(first_clock: u64, second_clock: u64) -> [bool; 2] {
    let rules = TypingRules::default();
    let (mut first, mut second) = (TypingTable::new(rules), TypingTable::new(rules));
    let moment = |ms| fixtures::start().plus(Duration::from_millis(ms));
    let said = |is_typing, ms| TypingEvent { at: moment(ms), ..word(is_typing) };

    let start = first.hear(&said(true, first_clock), Origin::Here, true, moment(first_clock)).unwrap();
    assert!(start.to_nodes);
    assert!(second.hear(&start.word, Origin::Elsewhere, true, moment(second_clock)).is_some());
    let stop = said(false, second_clock + 1_000);
    assert_eq!(second.hear(&stop, Origin::Here, true, moment(second_clock + 1_000)), None, "it waits");

    let mut shown = [true, true];
    for passed in (1_250..9_000).step_by(250) {
        for notice in second.tick(|_, _| true, moment(second_clock + passed)) {
            shown[1] = notice.word.is_typing;
            if notice.to_nodes {
                let heard = first.hear(&notice.word, Origin::Elsewhere, true, moment(first_clock + passed));
                shown[0] = heard.map_or(shown[0], |notice| notice.word.is_typing);
            }
        }
        for notice in first.tick(|_, _| true, moment(first_clock + passed)) {
            shown[0] = notice.word.is_typing;
            if notice.to_nodes {
                let heard = second.hear(&notice.word, Origin::Elsewhere, true, moment(second_clock + passed));
                shown[1] = heard.map_or(shown[1], |notice| notice.word.is_typing);
            }
        }
    }
    shown
}

#[test]
fn a_stop_at_a_node_whose_clock_is_behind_is_no_older_than_the_start_that_it_ends() {
    assert_eq!(shown_by_nodes_at(3_000, 0), [false, false], "3 seconds behind");
    assert_eq!(shown_by_nodes_at(0, 3_000), [false, false], "3 seconds ahead");
    assert_eq!(shown_by_nodes_at(0, 0), [false, false]);
}

/// What bob does, and how many milliseconds pass before it.
#[derive(Clone, Copy, Debug)]
enum Act {
    Says(bool, Origin),
    Sends,
    Leaves,
}

fn acts() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let act = prop_oneof![
        6 => (any::<bool>(), prop_oneof![Just(Origin::Here), Just(Origin::Elsewhere)])
            .prop_map(|(is_typing, origin)| Act::Says(is_typing, origin)),
        1 => Just(Act::Sends),
        1 => Just(Act::Leaves),
    ];
    vec((0..1_500_u64, act), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a person says: watchers hear of it at most once in two seconds, messages aside, and within two seconds
    /// what they have heard is the last word, unless that was silence.
    #[test]
    fn others_hear_the_last_word_and_seldom_more(acts in acts()) {
        let rules = TypingRules::default();
        let mut table = TypingTable::new(rules);
        let mut now = 0_u64;
        let moment = |ms| fixtures::start().plus(Duration::from_millis(ms));
        // What watchers were told last and when, and what the person said last and when.
        let (mut told, mut told_at, mut last, mut last_at) = (false, None::<u64>, false, 0);
        let mut told_nodes_at = None::<u64>;
        let done = acts.len();
        for (index, (pause, act)) in acts.into_iter().chain([(20_000, Act::Leaves)]).enumerate() {
            for _ in 0..pause {
                now += 1;
                if !now.is_multiple_of(250) {
                    continue;
                }
                for notice in table.tick(|_, _| true, moment(now)) {
                    if notice.to_nodes {
                        prop_assert!(told_nodes_at.is_none_or(|at| now - at >= 2_000), "nodes at {now}");
                        told_nodes_at = Some(now);
                    }
                    if notice.to_watchers {
                        prop_assert!(told_at.is_none_or(|at| now - at >= 2_000), "{notice:?} at {now} after {told_at:?}");
                        (told, told_at) = (notice.word.is_typing, Some(now));
                    }
                }
                if now - last_at >= 2_500 && now - last_at < 9_500 {
                    prop_assert_eq!(told, last, "the last word arrives, at {}", now);
                }
                if now - last_at >= 12_500 {
                    prop_assert!(!told, "typing ends by itself, at {}", now);
                }
            }
            if index == done {
                break;
            }
            match act {
                Act::Says(is_typing, origin) => {
                    (last, last_at) = (is_typing, now);
                    let word = TypingEvent { at: moment(now), ..word(is_typing) };
                    if let Some(notice) = table.hear(&word, origin, true, moment(now)) {
                        prop_assert!(told_at.is_none_or(|at| now - at >= 2_000), "{notice:?} at {now} after {told_at:?}");
                        (told, told_at) = (is_typing, Some(now));
                        if notice.to_nodes {
                            prop_assert!(told_nodes_at.is_none_or(|at| now - at >= 2_000), "nodes at {now}");
                            told_nodes_at = Some(now);
                        }
                    }
                }
                Act::Sends => {
                    (last, last_at) = (false, now);
                    if table.sent(session(), &user("bob"), moment(now)).is_some() {
                        prop_assert!(told, "no end for those who saw no start");
                        (told, told_at) = (false, Some(now));
                    }
                    prop_assert!(!told, "a message ends typing at once");
                }
                Act::Leaves => {
                    (last, last_at) = (false, now);
                    let _for_other_nodes = table.leave(session(), &user("bob"), moment(now));
                }
            }
        }
        prop_assert!(table.is_empty(), "nothing is remembered of who says nothing");
    }

    /// The same when a person's requests come to one of three nodes after the other, which hear each other at once: a
    /// word waits at the node that it comes to, and then at the others. No two are of the same moment.
    #[test]
    fn others_hear_the_last_word_on_every_node(words in vec((1..1_500_u64, 0..3_usize, any::<bool>()), 1..60)) {
        let mut tables: Vec<_> = (0..3).map(|_| TypingTable::new(TypingRules::default())).collect();
        let moment = |ms| fixtures::start().plus(Duration::from_millis(ms));
        let mut told = [(false, None::<u64>); 3];
        let (mut now, mut last, mut last_at) = (0_u64, false, 0);
        let pauses = words.into_iter().map(|(pause, node, is_typing)| (pause, Some((node, is_typing))));
        for (pause, said) in pauses.chain([(20_000, None)]) {
            for _ in 0..pause {
                now += 1;
                if !now.is_multiple_of(250) {
                    continue;
                }
                for node in 0..3 {
                    let notices = tables[node].tick(|_, _| true, moment(now)).into_iter();
                    spread(&mut tables, &mut told, notices.map(|notice| (node, notice)).collect(), now)?;
                }
                if now - last_at >= 6_000 && now - last_at < 9_500 {
                    prop_assert!(told.iter().all(|(told, _)| *told == last), "{told:?} at {now}, last {last}");
                }
            }
            if let Some((node, is_typing)) = said {
                (last, last_at) = (is_typing, now);
                let word = TypingEvent { at: moment(now), ..word(is_typing) };
                let notice = tables[node].hear(&word, Origin::Here, true, moment(now));
                spread(&mut tables, &mut told, notice.map(|notice| (node, notice)).into_iter().collect(), now)?;
            }
        }
        prop_assert!(told.iter().all(|(told, _)| !told), "typing ends by itself");
        prop_assert!(tables.iter().all(TypingTable::is_empty), "nothing is remembered of who says nothing");
    }
}

/// Gives notices to the watchers of their nodes and to the other nodes, and checks that nobody hears too much.
fn spread(
    tables: &mut [TypingTable],
    told: &mut [(bool, Option<u64>)],
    mut notices: Vec<(usize, TypingNotice)>,
    now: u64,
) -> Result<(), TestCaseError> {
    let at = fixtures::start().plus(Duration::from_millis(now));
    while let Some((node, notice)) = notices.pop() {
        if notice.to_watchers {
            let Some(told) = told.get_mut(node) else { unreachable!() };
            prop_assert!(told.1.is_none_or(|at| now - at >= 2_000), "{notice:?} on {node} at {now} after {told:?}");
            *told = (notice.word.is_typing, Some(now));
        }
        if notice.to_nodes {
            for (other, table) in tables.iter_mut().enumerate().filter(|(other, _)| *other != node) {
                let heard = table.hear(&notice.word, Origin::Elsewhere, true, at);
                notices.extend(heard.map(|notice| (other, notice)));
            }
        }
    }
    Ok(())
}
