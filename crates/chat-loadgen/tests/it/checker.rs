//! The checker accepts good histories and says what is wrong with bad ones, each made by hand.

use chat_loadgen::history::{
    AttemptOutcome, History, HistoryViolation, OtherEvents, ReadEvent, ReaderStart, check, from_lines, to_lines,
};

use crate::good_history::{acknowledged, attempt, good, log, stored};

/// The only violation of a history.
fn only(history: &History) -> HistoryViolation {
    let mut found = check(history);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn has(history: &History, wanted: impl Fn(&HistoryViolation) -> bool) -> bool {
    check(history).iter().any(wanted)
}

/// A good history without readers and positions, for faults that would otherwise show in several ways.
fn plain() -> History {
    let mut history = good();
    history.readers.clear();
    history.finals[0].last_seq = None;
    history.finals[0].messages.iter_mut().for_each(|message| message.seq = None);
    history
}

#[test]
fn a_good_history_passes() {
    assert_eq!(check(&good()), []);
    assert_eq!(check(&plain()), []);
    assert_eq!(check(&History::default()), []);
}

#[test]
fn an_unknown_outcome_may_be_stored_or_not() {
    // As it is, b2 is stored and b3 is not. The other way round is as good.
    let mut history = plain();
    let messages = &mut history.finals[0].messages;
    messages.retain(|message| message.id != "b2");
    messages.push(stored("b3", 6));
    history.finals[0].messages[4].seq = None;
    assert_eq!(check(&history), []);
}

#[test]
fn a_lost_acknowledged_message_is_found() {
    let mut history = plain();
    history.finals[0].messages.remove(1);
    history.finals[0].total_count = 4;
    assert_eq!(only(&history), HistoryViolation::Lost { session: "s".into(), id: "b1".into(), key: "key-b1".into() });
}

#[test]
fn a_message_that_stands_twice_is_found() {
    let mut history = plain();
    let again = history.finals[0].messages[4].clone();
    history.finals[0].messages.push(again);
    history.finals[0].total_count = 6;
    assert_eq!(only(&history), HistoryViolation::StoredTwice { session: "s".into(), id: "a3".into() });
}

#[test]
fn a_message_that_is_stored_under_two_ids_is_found() {
    let mut history = plain();
    let mut again = history.finals[0].messages[4].clone();
    again.id = "a3-again".to_owned();
    history.finals[0].messages.push(again);
    history.finals[0].total_count = 6;
    assert!(matches!(only(&history), HistoryViolation::StoredUnderTwoIds { key, .. } if key == "key-a3"));
}

#[test]
fn an_unknown_outcome_that_is_stored_twice_is_found() {
    let mut history = plain();
    let mut again = history.finals[0].messages[3].clone();
    assert_eq!(again.id, "b2");
    again.id = "b2-again".to_owned();
    history.finals[0].messages.push(again);
    history.finals[0].total_count = 6;
    assert!(matches!(only(&history), HistoryViolation::StoredUnderTwoIds { key, .. } if key == "key-b2"));
}

#[test]
fn a_message_that_was_never_sent_is_found() {
    let mut history = plain();
    history.finals[0].messages.push(stored("x1", 7));
    history.finals[0].total_count = 6;
    assert!(matches!(only(&history), HistoryViolation::Phantom { id, .. } if id == "x1"));
}

#[test]
fn a_refused_message_that_is_stored_is_found() {
    let mut history = plain();
    history.finals[0].messages.push(stored("a4", 7));
    history.finals[0].total_count = 6;
    assert!(matches!(only(&history), HistoryViolation::RefusedButStored { key, .. } if key == "key-a4"));
}

#[test]
fn changed_content_is_found() {
    let mut history = plain();
    history.finals[0].messages[0].content = "content-b3".to_owned();
    assert!(has(&history, |v| matches!(v, HistoryViolation::WrongContent { id, .. } if id == "a1")));
}

#[test]
fn two_ids_for_one_key_are_found() {
    let mut history = plain();
    history.attempts.push(attempt("a", 1, (1, 12), AttemptOutcome::Acknowledged { id: "other".to_owned(), seq: None }));
    assert!(has(&history, |v| matches!(v, HistoryViolation::TwoIdsForOneKey { key, .. } if key == "key-a1")));
}

#[test]
fn one_id_for_two_keys_is_found() {
    let mut history = plain();
    history.attempts.push(attempt("b", 3, (1, 12), AttemptOutcome::Acknowledged { id: "a1".to_owned(), seq: None }));
    assert!(has(&history, |v| matches!(v, HistoryViolation::OneIdForTwoKeys { id, .. } if id == "a1")));
}

#[test]
fn an_order_against_time_is_found() {
    let mut history = plain();
    // a3 was begun after a2 was acknowledged.
    history.finals[0].messages.swap(2, 4);
    assert!(has(&history, |v| matches!(
        v,
        HistoryViolation::OrderReversed { acknowledged, begun_after, .. } if acknowledged == "a2" && begun_after == "a3"
    )));
    // Those that ran at the same time may stand either way.
    let mut history = plain();
    history.finals[0].messages.swap(0, 1);
    assert_eq!(check(&history), []);
}

#[test]
fn a_gap_in_the_sequence_numbers_is_found() {
    let mut history = good();
    history.readers.clear();
    history.finals[0].last_seq = Some(7);
    assert!(matches!(only(&history), HistoryViolation::SeqGap { last_seq: 7, messages: 5, others: 1, .. }));
    history.finals[0].other_events = OtherEvents::AtLeast(1);
    assert_eq!(check(&history), [], "receipts may have taken it");
}

#[test]
fn a_repeated_sequence_number_is_found() {
    let mut history = good();
    history.readers.clear();
    history.finals[0].messages[2].seq = Some(3);
    assert!(has(&history, |v| matches!(v, HistoryViolation::SeqRepeated { seq: 3, .. })));
    assert!(has(&history, |v| matches!(v, HistoryViolation::OneSeqForTwo { seq: 3, .. })));
}

#[test]
fn sequence_numbers_backwards_or_beyond_the_last_are_found() {
    let mut history = good();
    history.readers.clear();
    history.finals[0].messages[2].seq = Some(9);
    assert!(has(&history, |v| matches!(v, HistoryViolation::SeqBackwards { id, .. } if id == "b2")));
    history.finals[0].messages[4].seq = Some(10);
    assert!(has(&history, |v| matches!(v, HistoryViolation::SeqBeyondLast { last_seq: 6, .. })));
}

#[test]
fn an_acknowledgment_with_another_seq_than_the_store_is_found() {
    let mut history = good();
    let outcome = AttemptOutcome::Acknowledged { id: "a1".to_owned(), seq: Some(3) };
    history.attempts.push(attempt("a", 1, (11, 12), outcome));
    assert!(has(&history, |v| matches!(v, HistoryViolation::TwoSeqs { id, .. } if id == "a1")));
}

#[test]
fn a_wrong_count_is_found() {
    let mut history = plain();
    history.finals[0].total_count = 6;
    assert!(matches!(only(&history), HistoryViolation::WrongCount { counted: 6, listed: 5, .. }));
}

/// The plain history with one reader.
fn read(start: ReaderStart, ids: &[&str], complete: bool) -> History {
    let mut history = plain();
    let mut log = log("r", start, &[], complete);
    log.events =
        ids.iter().map(|id| ReadEvent { seq: None, message: Some((*id).to_owned()), ..ReadEvent::default() }).collect();
    history.readers.push(log);
    history
}

#[test]
fn a_reader_may_see_any_slice() {
    assert_eq!(check(&read(ReaderStart::Anywhere, &["b1", "a2"], false)), []);
    assert_eq!(check(&read(ReaderStart::Anywhere, &["a2", "b2", "a3"], true)), []);
    assert_eq!(check(&read(ReaderStart::Beginning, &["a1"], false)), []);
    assert_eq!(check(&read(ReaderStart::Beginning, &[], false)), []);
}

#[test]
fn a_reader_with_another_order_is_found() {
    let history = read(ReaderStart::Anywhere, &["a1", "a2", "b1", "b2"], false);
    assert!(has(&history, |v| matches!(v, HistoryViolation::ReaderReordered { id, .. } if id == "b1")));
}

#[test]
fn a_gap_in_what_a_reader_saw_is_found() {
    let history = read(ReaderStart::Anywhere, &["a1", "b2"], false);
    assert!(matches!(only(&history), HistoryViolation::ReaderGap { missing, .. } if missing == ["b1", "a2"]));
}

#[test]
fn a_gap_at_the_beginning_is_found() {
    let history = read(ReaderStart::Beginning, &["b1", "a2"], false);
    assert!(matches!(only(&history), HistoryViolation::ReaderGap { missing, .. } if missing == ["a1"]));
}

#[test]
fn a_gap_between_two_connections_is_found() {
    let mut history = good();
    history.readers[2].events.remove(0);
    assert!(has(&history, |v| matches!(v, HistoryViolation::ReaderGap { missing, .. } if missing == &["b2"])));
    assert!(has(&history, |v| matches!(v, HistoryViolation::ReaderSeq { expected: 5, seen: 6, .. })));
}

#[test]
fn a_message_that_a_reader_saw_twice_is_found() {
    let history = read(ReaderStart::Anywhere, &["a1", "b1", "b1", "a2"], false);
    assert!(has(&history, |v| matches!(v, HistoryViolation::ReaderRepeated { id, .. } if id == "b1")));
    let mut history = good();
    let again = history.readers[1].events[1].clone();
    history.readers[2].events.insert(0, again);
    assert!(
        has(&history, |v| matches!(v, HistoryViolation::ReaderRepeated { id, .. } if id == "a2")),
        "over connections"
    );
}

#[test]
fn a_message_that_a_reader_saw_but_is_not_stored_is_found() {
    let history = read(ReaderStart::Anywhere, &["a1", "ghost", "b1"], false);
    assert!(matches!(only(&history), HistoryViolation::ReaderSawUnstored { id, .. } if id == "ghost"));
}

#[test]
fn a_reader_that_did_not_get_the_end_is_found() {
    let history = read(ReaderStart::Beginning, &["a1", "b1", "a2"], true);
    assert!(matches!(only(&history), HistoryViolation::ReaderIncomplete { missing, .. } if missing == ["b2", "a3"]));
}

#[test]
fn readers_that_disagree_are_found_whatever_is_stored() {
    let mut history = read(ReaderStart::Anywhere, &["a1", "ghost"], false);
    let mut other = history.readers[0].clone();
    other.reader = "other".to_owned();
    other.events[1].message = Some("b1".to_owned());
    history.readers.push(other);
    assert!(has(&history, |v| matches!(v, HistoryViolation::ReadersDisagree { after, .. } if after == "a1")));
}

#[test]
fn a_history_that_cannot_be_judged_is_no_good_history() {
    let mut history = plain();
    history.finals.clear();
    assert!(matches!(only(&history), HistoryViolation::NoFinalState { .. }));
    let mut history = plain();
    history.finals.push(history.finals[0].clone());
    assert!(has(&history, |v| matches!(v, HistoryViolation::TwoFinalStates { .. })));
    let mut history = plain();
    let mut other = acknowledged("a", 1, (0, 10));
    other.content = "content-a9".to_owned();
    history.attempts.push(other);
    assert!(has(&history, |v| matches!(v, HistoryViolation::KeyReused { .. })));
    let mut history = plain();
    let mut other = attempt("b", 9, (0, 10), AttemptOutcome::Unknown);
    other.content = "content-b3".to_owned();
    history.attempts.push(other);
    assert!(has(&history, |v| matches!(v, HistoryViolation::AmbiguousContent { .. })));
}

#[test]
fn every_violation_is_found_and_names_its_place() {
    let mut history = plain();
    history.finals[0].messages.remove(0);
    history.finals[0].messages.remove(0);
    let found = check(&history);
    let words: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "session s: message a1 (key key-a1) was acknowledged but is not stored",
            "session s: message b1 (key key-b1) was acknowledged but is not stored",
            "session s: the service counts 5 messages but lists 3",
        ]
    );
}

#[test]
fn a_history_survives_being_written_and_read() {
    let text: String = to_lines(&good()).map(Result::unwrap).collect();
    assert_eq!(text.lines().count(), 9 + 4 + 1);
    assert_eq!(from_lines(&text).unwrap(), good());
    let error = from_lines(&format!("{text}\n{{\"kind\":\"nonsense\"}}")).unwrap_err();
    assert_eq!(error.line, 16);
}
