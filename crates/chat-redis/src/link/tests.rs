//! The state by hand, and against a model of nodes whose messages get lost.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const ME: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const THIRD: Uuid = Uuid::from_u128(3);

fn shard(index: u16) -> Finding {
    Finding::Missed(Missed::Shard { index, of: SHARDS })
}

fn counters(of: &[(usize, u64)]) -> Counters {
    let mut counters = [0; SHARDS as usize];
    for (index, counter) in of {
        counters[*index] = *counter;
    }
    counters
}

/// A link that hears, with the moment.
fn open() -> (Link, Instant) {
    let (mut link, now) = (Link::new(ME), Instant::now());
    link.subscribed(now);
    assert_eq!(link.heartbeat(ME, &counters(&[]), now), [EVERYWHERE, Finding::Heard]);
    (link, now)
}

/// A link that hears, and knows the other node with these counters.
fn acquainted(of: &[(usize, u64)]) -> (Link, Instant) {
    let (mut link, now) = open();
    link.heartbeat(OTHER, &counters(of), now);
    (link, now)
}

#[test]
fn a_connection_is_heard_when_our_own_heartbeat_comes_back() {
    let (mut link, now) = (Link::new(ME), Instant::now());
    assert_eq!(link.heartbeat(ME, &counters(&[]), now), []);
    link.subscribed(now);
    assert_eq!(link.tick(now), []);
    assert_eq!(link.heartbeat(ME, &counters(&[]), now), [EVERYWHERE, Finding::Heard]);
    assert_eq!(link.heartbeat(ME, &counters(&[]), now), []);
}

#[test]
fn a_connection_on_which_nothing_comes_back_is_given_up_once() {
    let (mut link, now) = (Link::new(ME), Instant::now());
    link.subscribed(now);
    assert_eq!(link.tick(now + SILENCE), []);
    assert_eq!(link.tick(now + SILENCE + Duration::from_millis(1)), [Finding::Deaf]);
    assert_eq!(link.tick(now + SILENCE * 2), []);

    let (mut link, now) = open();
    let later = now + SILENCE;
    link.heartbeat(ME, &counters(&[]), later);
    assert_eq!(link.tick(later + DOUBT), []);
    assert_eq!(link.tick(later + SILENCE), [Finding::Doubtful]);
    assert_eq!(link.tick(later + SILENCE + Duration::from_millis(1)), [Finding::Deaf]);
    assert!(!link.lost());
}

#[test]
fn a_connection_is_doubted_while_our_own_heartbeat_is_late() {
    let (mut link, now) = open();
    let later = now + DOUBT + Duration::from_millis(1);
    assert_eq!(link.tick(later), [Finding::Doubtful]);
    assert_eq!(link.tick(later), []);
    assert_eq!(link.heartbeat(ME, &counters(&[]), later), [EVERYWHERE, Finding::Heard]);
    assert_eq!(link.tick(later + DOUBT), []);
}

#[test]
fn a_node_that_is_cut_off_is_looked_for_in_the_database_every_second() {
    let (mut link, now) = acquainted(&[(5, 7)]);
    let mut looks = 0;
    for tenth in 0..130_u32 {
        let now = now + tenth * Duration::from_millis(100);
        link.heartbeat(ME, &counters(&[]), now);
        looks += link.tick(now).len();
    }
    assert_eq!(looks, 10, "from the fourth second to the thirteenth");
    // When it is heard again, that is over; and so it is when it is not expected any more.
    let back = now + Duration::from_secs(14);
    assert_eq!(link.heartbeat(OTHER, &counters(&[(5, 9)]), back), [EVERYWHERE]);
    link.heartbeat(ME, &counters(&[]), back);
    assert_eq!(link.tick(back), []);
    let gone = back + EXPECTED + Duration::from_secs(10);
    link.heartbeat(ME, &counters(&[]), gone);
    assert_eq!(link.tick(gone), [EVERYWHERE]);
    let forgotten = gone + EXPECTED + Duration::from_secs(1);
    link.heartbeat(ME, &counters(&[]), forgotten);
    assert_eq!(link.tick(forgotten), []);
}

#[test]
fn a_lost_connection_says_whether_it_was_heard() {
    let (mut link, now) = open();
    assert!(link.lost());
    assert!(!link.lost());
    link.subscribed(now);
    assert!(!link.lost());
}

#[test]
fn events_that_follow_each_other_are_no_gap() {
    let (mut link, now) = acquainted(&[(5, 7)]);
    for counter in 8..20 {
        assert_eq!(link.event(OTHER, 5, counter, now), None);
    }
    assert_eq!(link.event(OTHER, 6, 1, now), None);
    assert_eq!(link.heartbeat(OTHER, &counters(&[(5, 19), (6, 1)]), now), []);
}

#[test]
fn an_event_whose_counter_jumps_is_a_gap_in_its_shard_only() {
    let (mut link, now) = acquainted(&[(5, 7)]);
    assert_eq!(link.event(OTHER, 5, 9, now), Some(shard(5)));
    assert_eq!(link.event(OTHER, 5, 10, now), None);
    // Late and doubled ones say nothing new.
    assert_eq!(link.event(OTHER, 5, 8, now), None);
    assert_eq!(link.event(OTHER, 5, 11, now), None);
}

#[test]
fn a_heartbeat_that_counts_more_is_a_gap_in_those_shards() {
    let (mut link, now) = acquainted(&[(5, 7), (6, 1)]);
    assert_eq!(link.heartbeat(OTHER, &counters(&[(5, 8), (6, 1), (63, 2)]), now), [shard(5), shard(63)]);
    assert_eq!(link.heartbeat(OTHER, &counters(&[(5, 8), (6, 1), (63, 2)]), now), []);
    let all = [100; SHARDS as usize];
    assert_eq!(link.heartbeat(OTHER, &all, now), [EVERYWHERE]);
}

#[test]
fn a_node_that_published_before_it_was_heard_may_have_been_missed() {
    let (mut link, now) = open();
    assert_eq!(link.heartbeat(OTHER, &counters(&[(5, 1)]), now), [EVERYWHERE]);
    assert_eq!(link.event(THIRD, 5, 2, now), None);
    assert_eq!(link.heartbeat(THIRD, &counters(&[(5, 2)]), now), [EVERYWHERE]);
    assert_eq!(link.heartbeat(THIRD, &counters(&[(5, 2)]), now), []);
}

#[test]
fn a_node_that_starts_while_we_listen_has_been_heard_from_the_beginning() {
    let (mut link, now) = open();
    assert_eq!(link.heartbeat(OTHER, &counters(&[]), now), []);
    for counter in 1..4 {
        assert_eq!(link.event(THIRD, 5, counter, now), None);
    }
    assert_eq!(link.heartbeat(THIRD, &counters(&[(5, 3)]), now), []);
}

#[test]
fn a_node_that_goes_silent_may_have_said_something_that_was_lost() {
    let (mut link, now) = acquainted(&[(5, 7)]);
    let later = now + SILENCE + Duration::from_millis(1);
    link.heartbeat(ME, &counters(&[]), later);
    assert_eq!(link.tick(later), [EVERYWHERE]);
    assert_eq!(link.tick(later), []);
    // When it comes back, nobody knows what it said meanwhile.
    assert_eq!(link.heartbeat(OTHER, &counters(&[(5, 7)]), later), [EVERYWHERE]);
}

#[test]
fn a_node_that_says_goodbye_is_not_missed_but_for_what_it_said() {
    let (mut link, now) = acquainted(&[(5, 7)]);
    link.heartbeat(THIRD, &counters(&[]), now);
    assert_eq!(link.goodbye(OTHER, &counters(&[(5, 7)]), now), []);
    assert_eq!(link.goodbye(THIRD, &counters(&[(6, 1)]), now), [shard(6)]);
    let later = now + SILENCE + Duration::from_millis(1);
    link.heartbeat(ME, &counters(&[]), later);
    assert_eq!(link.tick(later), []);
    assert_eq!(link.goodbye(ME, &counters(&[]), later), []);
}

#[test]
fn numbers_that_cannot_be_compared_may_hide_anything() {
    let (mut link, now) = acquainted(&[]);
    assert_eq!(link.heartbeat(OTHER, &[1, 2, 3], now), [EVERYWHERE]);
    assert_eq!(link.event(OTHER, SHARDS, 5, now), None);
}

#[test]
fn what_is_kept_in_mind_is_bounded() {
    let (mut link, now) = open();
    for node in 0..10_000_u128 {
        link.event(Uuid::from_u128(1_000 + node), 0, 1, now);
        link.heartbeat(Uuid::from_u128(1_000 + node), &counters(&[]), now);
    }
    assert_eq!(link.peers.len(), MAX_PEERS);
}

/// What happens to a node's message.
#[derive(Clone, Copy, Debug)]
enum Step {
    Heard(u16),
    Lost(u16),
    /// A heartbeat, and whether it is heard.
    Beat(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4_u16).prop_map(Step::Heard),
        1 => (0..4_u16).prop_map(Step::Lost),
        1 => any::<bool>().prop_map(Step::Beat),
    ];
    vec(step, 0..200)
}

fn note(findings: impl IntoIterator<Item = Finding>, open: &mut BTreeSet<u16>) {
    for finding in findings {
        match finding {
            Finding::Missed(Missed::Everywhere) => open.clear(),
            Finding::Missed(Missed::Shard { index, .. }) => {
                open.remove(&index);
            }
            Finding::Heard | Finding::Doubtful | Finding::Deaf => {}
        }
    }
}

proptest! {
    /// Whatever is lost, after the next heartbeat every shard in which something was lost has been named since.
    #[test]
    fn whatever_is_lost_is_found_with_the_next_heartbeat(steps in steps(), before in 0..3_u64) {
        let (mut link, now) = open();
        let mut published = counters(&[(0, before), (1, before)]);
        let mut unfound: BTreeSet<u16> = (0..2).filter(|_| before > 0).collect();
        for step in steps {
            match step {
                Step::Heard(index) => {
                    published[usize::from(index)] += 1;
                    note(link.event(OTHER, index, published[usize::from(index)], now), &mut unfound);
                }
                Step::Lost(index) => {
                    published[usize::from(index)] += 1;
                    unfound.insert(index);
                }
                Step::Beat(false) => {}
                Step::Beat(true) => {
                    note(link.heartbeat(OTHER, &published, now), &mut unfound);
                    prop_assert!(unfound.is_empty(), "{unfound:?}");
                }
            }
        }
    }

    /// Nothing is looked for where nothing was lost.
    #[test]
    fn without_a_loss_nothing_is_found(steps in steps(), before in 0..3_u64) {
        let (mut link, now) = acquainted(&[(0, before), (1, before)]);
        let mut published = counters(&[(0, before), (1, before)]);
        for step in steps {
            match step {
                Step::Heard(index) | Step::Lost(index) => {
                    published[usize::from(index)] += 1;
                    prop_assert_eq!(link.event(OTHER, index, published[usize::from(index)], now), None);
                }
                Step::Beat(_) => prop_assert_eq!(link.heartbeat(OTHER, &published, now), vec![]),
            }
        }
    }
}
