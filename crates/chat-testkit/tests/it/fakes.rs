//! The clock, the ids and the sources do what tests rely on.

use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::ports::{Clock, IdGenerator};
use chat_testkit::{FixedClock, SequentialIds, fixtures, source};

#[test]
fn time_stands_still_until_it_is_moved() {
    let clock = FixedClock::new();
    assert_eq!(clock.now().to_string(), "2026-01-31T09:05:00.000Z");
    assert_eq!(clock.now(), fixtures::start());
    clock.advance(Duration::from_millis(1_500));
    assert_eq!(clock.now().to_string(), "2026-01-31T09:05:01.500Z");
}

#[test]
fn a_ticking_clock_moves_each_time_it_is_asked() {
    let clock = FixedClock::ticking(Duration::from_millis(1));
    let moments = [clock.now(), clock.now(), clock.now()];
    assert!(moments.is_sorted_by(|earlier, later| earlier < later), "{moments:?}");
}

#[test]
fn ids_are_ascending_version_7_and_the_same_in_every_run() {
    let (ids, same, apart) = (SequentialIds::new(), SequentialIds::new(), SequentialIds::starting_at(1_000));
    let made: Vec<_> = (0..300).map(|_| ids.next_id()).collect();
    assert!(made.is_sorted_by(|earlier, later| earlier < later));
    assert!(made.iter().all(|id| id.get_version_num() == 7));
    assert_eq!(made, (0..300).map(|_| same.next_id()).collect::<Vec<_>>());
    assert!(!made.contains(&apart.next_id()));
}

#[test]
fn equal_numbers_of_different_kinds_are_different_ids() {
    let ids =
        [fixtures::session_id(1).as_uuid(), fixtures::message_id(1).as_uuid(), fixtures::attachment_id(1).as_uuid()];
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    assert!(!ids.contains(&SequentialIds::new().next_id()));
}

#[tokio::test]
async fn a_failing_source_gives_its_bytes_first() {
    let mut source = source::failing_after("half", ChatError::unavailable("broken"));
    assert_eq!(source.next_chunk().await.unwrap().as_deref(), Some(b"half".as_slice()));
    assert!(matches!(source.next_chunk().await, Err(ChatError::Unavailable { .. })));
    let whole = source::read_to_end(source::from_chunks(["a", "", "bc"])).await.unwrap();
    assert_eq!(whole, "abc");
}
