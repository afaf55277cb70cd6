//! The detector by hand, and against a model of nodes whose messages get lost.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const ME: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const THIRD: Uuid = Uuid::from_u128(3);

fn shard(index: u16) -> PeerVerdict {
    PeerVerdict::Gap(SuspectedGap::Shard { index, of: SHARDS })
}

fn counters(of: &[(usize, u64)]) -> ShardCounters {
    let mut counters = [0; SHARDS as usize];
    for (index, counter) in of {
        counters[*index] = *counter;
    }
    counters
}

/// A detector of a reachable connection, with the moment.
fn reachable() -> (FailureDetector, Instant) {
    let (mut detector, now) = (FailureDetector::new(ME), Instant::now());
    detector.subscribed(now);
    assert_eq!(detector.heartbeat(ME, &counters(&[]), now), [ALL_SESSIONS, PeerVerdict::Reachable]);
    (detector, now)
}

/// A detector of a reachable connection that knows the other node with these counters.
fn reachable_with(of: &[(usize, u64)]) -> (FailureDetector, Instant) {
    let (mut detector, now) = reachable();
    detector.heartbeat(OTHER, &counters(of), now);
    (detector, now)
}

#[test]
fn peers_are_reachable_when_the_own_heartbeat_comes_back() {
    let (mut detector, now) = (FailureDetector::new(ME), Instant::now());
    assert_eq!(detector.heartbeat(ME, &counters(&[]), now), []);
    detector.subscribed(now);
    assert_eq!(detector.tick(now), []);
    assert_eq!(detector.heartbeat(ME, &counters(&[]), now), [ALL_SESSIONS, PeerVerdict::Reachable]);
    assert_eq!(detector.heartbeat(ME, &counters(&[]), now), []);
}

#[test]
fn a_connection_without_own_heartbeats_is_given_up_once() {
    let (mut detector, now) = (FailureDetector::new(ME), Instant::now());
    detector.subscribed(now);
    assert_eq!(detector.tick(now + PEER_TIMEOUT), []);
    assert_eq!(detector.tick(now + PEER_TIMEOUT + Duration::from_millis(1)), [PeerVerdict::Disconnected]);
    assert_eq!(detector.tick(now + PEER_TIMEOUT * 2), []);

    let (mut detector, now) = reachable();
    let later = now + PEER_TIMEOUT;
    detector.heartbeat(ME, &counters(&[]), later);
    assert_eq!(detector.tick(later + SUSPECT_AFTER), []);
    assert_eq!(detector.tick(later + PEER_TIMEOUT), [PeerVerdict::Suspect]);
    assert_eq!(detector.tick(later + PEER_TIMEOUT + Duration::from_millis(1)), [PeerVerdict::Disconnected]);
    assert!(!detector.disconnected());
}

#[test]
fn a_late_own_heartbeat_makes_the_connection_suspect() {
    let (mut detector, now) = reachable();
    let later = now + SUSPECT_AFTER + Duration::from_millis(1);
    assert_eq!(detector.tick(later), [PeerVerdict::Suspect]);
    assert_eq!(detector.tick(later), []);
    assert_eq!(detector.heartbeat(ME, &counters(&[]), later), [ALL_SESSIONS, PeerVerdict::Reachable]);
    assert_eq!(detector.tick(later + SUSPECT_AFTER), []);
}

#[test]
fn a_failed_node_is_suspected_every_second_until_it_returns() {
    let (mut detector, now) = reachable_with(&[(5, 7)]);
    let mut looks = 0;
    for tenth in 0..130_u32 {
        let now = now + tenth * Duration::from_millis(100);
        detector.heartbeat(ME, &counters(&[]), now);
        looks += detector.tick(now).len();
    }
    assert_eq!(looks, 10, "from the fourth second to the thirteenth");
    // When it is reachable again, that ends; and so it does once it is not expected any more.
    let back = now + Duration::from_secs(14);
    assert_eq!(detector.heartbeat(OTHER, &counters(&[(5, 9)]), back), [ALL_SESSIONS]);
    detector.heartbeat(ME, &counters(&[]), back);
    assert_eq!(detector.tick(back), []);
    let gone = back + RETURN_WINDOW + Duration::from_secs(10);
    detector.heartbeat(ME, &counters(&[]), gone);
    assert_eq!(detector.tick(gone), [ALL_SESSIONS]);
    let forgotten = gone + RETURN_WINDOW + Duration::from_secs(1);
    detector.heartbeat(ME, &counters(&[]), forgotten);
    assert_eq!(detector.tick(forgotten), []);
}

#[test]
fn a_lost_connection_returns_whether_peers_were_reachable() {
    let (mut detector, now) = reachable();
    assert!(detector.disconnected());
    assert!(!detector.disconnected());
    detector.subscribed(now);
    assert!(!detector.disconnected());
}

#[test]
fn consecutive_events_are_no_gap() {
    let (mut detector, now) = reachable_with(&[(5, 7)]);
    for counter in 8..20 {
        assert_eq!(detector.event(OTHER, 5, counter, now), None);
    }
    assert_eq!(detector.event(OTHER, 6, 1, now), None);
    assert_eq!(detector.heartbeat(OTHER, &counters(&[(5, 19), (6, 1)]), now), []);
}

#[test]
fn an_event_whose_counter_jumps_is_a_gap_in_its_shard_only() {
    let (mut detector, now) = reachable_with(&[(5, 7)]);
    assert_eq!(detector.event(OTHER, 5, 9, now), Some(shard(5)));
    assert_eq!(detector.event(OTHER, 5, 10, now), None);
    // Late and doubled ones change nothing.
    assert_eq!(detector.event(OTHER, 5, 8, now), None);
    assert_eq!(detector.event(OTHER, 5, 11, now), None);
}

#[test]
fn a_heartbeat_with_larger_counts_is_a_gap_in_those_shards() {
    let (mut detector, now) = reachable_with(&[(5, 7), (6, 1)]);
    assert_eq!(detector.heartbeat(OTHER, &counters(&[(5, 8), (6, 1), (63, 2)]), now), [shard(5), shard(63)]);
    assert_eq!(detector.heartbeat(OTHER, &counters(&[(5, 8), (6, 1), (63, 2)]), now), []);
    let all = [100; SHARDS as usize];
    assert_eq!(detector.heartbeat(OTHER, &all, now), [ALL_SESSIONS]);
}

#[test]
fn events_before_the_first_message_of_a_node_are_a_gap() {
    let (mut detector, now) = reachable();
    assert_eq!(detector.heartbeat(OTHER, &counters(&[(5, 1)]), now), [ALL_SESSIONS]);
    assert_eq!(detector.event(THIRD, 5, 2, now), None);
    assert_eq!(detector.heartbeat(THIRD, &counters(&[(5, 2)]), now), [ALL_SESSIONS]);
    assert_eq!(detector.heartbeat(THIRD, &counters(&[(5, 2)]), now), []);
}

#[test]
fn a_node_that_starts_while_subscribed_is_no_gap() {
    let (mut detector, now) = reachable();
    assert_eq!(detector.heartbeat(OTHER, &counters(&[]), now), []);
    for counter in 1..4 {
        assert_eq!(detector.event(THIRD, 5, counter, now), None);
    }
    assert_eq!(detector.heartbeat(THIRD, &counters(&[(5, 3)]), now), []);
}

#[test]
fn a_node_that_times_out_is_a_gap() {
    let (mut detector, now) = reachable_with(&[(5, 7)]);
    let later = now + PEER_TIMEOUT + Duration::from_millis(1);
    detector.heartbeat(ME, &counters(&[]), later);
    assert_eq!(detector.tick(later), [ALL_SESSIONS]);
    assert_eq!(detector.tick(later), []);
    // When it comes back, what it published meanwhile is unknown.
    assert_eq!(detector.heartbeat(OTHER, &counters(&[(5, 7)]), later), [ALL_SESSIONS]);
}

#[test]
fn a_goodbye_is_a_gap_only_for_unreceived_events() {
    let (mut detector, now) = reachable_with(&[(5, 7)]);
    detector.heartbeat(THIRD, &counters(&[]), now);
    assert_eq!(detector.goodbye(OTHER, &counters(&[(5, 7)]), now), []);
    assert_eq!(detector.goodbye(THIRD, &counters(&[(6, 1)]), now), [shard(6)]);
    let later = now + PEER_TIMEOUT + Duration::from_millis(1);
    detector.heartbeat(ME, &counters(&[]), later);
    assert_eq!(detector.tick(later), []);
    assert_eq!(detector.goodbye(ME, &counters(&[]), later), []);
}

#[test]
fn counts_for_other_shards_are_a_gap_everywhere() {
    let (mut detector, now) = reachable_with(&[]);
    assert_eq!(detector.heartbeat(OTHER, &[1, 2, 3], now), [ALL_SESSIONS]);
    assert_eq!(detector.event(OTHER, SHARDS, 5, now), None);
}

#[test]
fn the_number_of_tracked_nodes_is_bounded() {
    let (mut detector, now) = reachable();
    for node in 0..10_000_u128 {
        detector.event(Uuid::from_u128(1_000 + node), 0, 1, now);
        detector.heartbeat(Uuid::from_u128(1_000 + node), &counters(&[]), now);
    }
    assert_eq!(detector.peers.len(), MAX_PEERS);
}

/// A message of a node, and whether it is received.
#[derive(Clone, Copy, Debug)]
enum MessageFate {
    Received(u16),
    Lost(u16),
    /// A heartbeat, and whether it is received.
    Beat(bool),
}

fn steps() -> impl Strategy<Value = Vec<MessageFate>> {
    let step = prop_oneof![
        4 => (0..4_u16).prop_map(MessageFate::Received),
        1 => (0..4_u16).prop_map(MessageFate::Lost),
        1 => any::<bool>().prop_map(MessageFate::Beat),
    ];
    vec(step, 0..200)
}

fn note(findings: impl IntoIterator<Item = PeerVerdict>, open: &mut BTreeSet<u16>) {
    for finding in findings {
        match finding {
            PeerVerdict::Gap(SuspectedGap::AllSessions) => open.clear(),
            PeerVerdict::Gap(SuspectedGap::Shard { index, .. }) => {
                open.remove(&index);
            }
            PeerVerdict::Reachable | PeerVerdict::Suspect | PeerVerdict::Disconnected => {}
        }
    }
}

proptest! {
    /// After the next heartbeat, every shard in which an event was lost has been suspected since.
    #[test]
    fn every_loss_is_found_with_the_next_heartbeat(steps in steps(), before in 0..3_u64) {
        let (mut detector, now) = reachable();
        let mut published = counters(&[(0, before), (1, before)]);
        let mut unfound: BTreeSet<u16> = (0..2).filter(|_| before > 0).collect();
        for step in steps {
            match step {
                MessageFate::Received(index) => {
                    published[usize::from(index)] += 1;
                    note(detector.event(OTHER, index, published[usize::from(index)], now), &mut unfound);
                }
                MessageFate::Lost(index) => {
                    published[usize::from(index)] += 1;
                    unfound.insert(index);
                }
                MessageFate::Beat(false) => {}
                MessageFate::Beat(true) => {
                    note(detector.heartbeat(OTHER, &published, now), &mut unfound);
                    prop_assert!(unfound.is_empty(), "{unfound:?}");
                }
            }
        }
    }

    /// Without a loss, no gap is suspected.
    #[test]
    fn without_a_loss_no_gap_is_found(steps in steps(), before in 0..3_u64) {
        let (mut detector, now) = reachable_with(&[(0, before), (1, before)]);
        let mut published = counters(&[(0, before), (1, before)]);
        for step in steps {
            match step {
                MessageFate::Received(index) | MessageFate::Lost(index) => {
                    published[usize::from(index)] += 1;
                    prop_assert_eq!(detector.event(OTHER, index, published[usize::from(index)], now), None);
                }
                MessageFate::Beat(_) => prop_assert_eq!(detector.heartbeat(OTHER, &published, now), vec![]),
            }
        }
    }
}
