//! Any history that follows the rules passes, and one fault of any kind in it is found.

use chat_loadgen::history::{
    Attempt, AttemptOutcome, FinalState, History, HistoryViolation, OtherEvents, ReadEvent, ReaderLog, ReaderStart,
    StoredMessage, check,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;

/// What is chosen for one message.
#[derive(Clone, Debug)]
struct Choice {
    writer: usize,
    /// Attempts without a response before the last one.
    without_response: usize,
    /// Whether the last one is acknowledged; if not, whether it is stored all the same.
    acknowledged: bool,
    stored: bool,
    repeated: bool,
}

fn choice() -> impl Strategy<Value = Choice> {
    (0..4_usize, 0..3_usize, prop::bool::weighted(0.8), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(writer, without_response, acknowledged, stored, repeated)| Choice {
            writer,
            without_response,
            acknowledged,
            stored,
            repeated,
        },
    )
}

/// A history in which message `n` is stored at time `100 n + 50`, so that the order is that of the choices. Attempts
/// begin before and end after that moment, and a writer has one at a time.
fn history(choices: &[Choice], cuts: &[Index]) -> History {
    let mut attempts = Vec::new();
    let mut free_at = [0_u64; 4];
    let mut messages = Vec::new();
    for (number, choice) in choices.iter().enumerate() {
        let moment = 100 * number as u64 + 50;
        let began = free_at[choice.writer].max(moment.saturating_sub(150)).min(moment);
        let ended = moment + 40;
        free_at[choice.writer] = ended + 1;
        let attempt = |began_us, ended_us, outcome| Attempt {
            session: "s".to_owned(),
            writer: format!("w{}", choice.writer),
            key: format!("k{number}"),
            content: format!("c{number}"),
            began_us,
            ended_us,
            outcome,
        };
        for _ in 0..choice.without_response {
            attempts.push(attempt(began, moment, AttemptOutcome::Unknown));
        }
        if choice.acknowledged {
            let seq = Some(number_of(&messages));
            for _ in 0..=usize::from(choice.repeated) {
                attempts.push(attempt(began, ended, AttemptOutcome::Acknowledged { id: format!("m{number}"), seq }));
            }
        } else {
            attempts.push(attempt(began, ended, AttemptOutcome::Unknown));
        }
        if choice.acknowledged || choice.stored {
            let seq = Some(number_of(&messages));
            messages.push(StoredMessage { id: format!("m{number}"), content: format!("c{number}"), seq });
        }
    }
    let readers = cuts.chunks(2).enumerate().flat_map(|(reader, cuts)| reader_logs(reader, cuts, &messages)).collect();
    let (total_count, last_seq) = (messages.len() as u64, Some(messages.len() as u64 + 1));
    let state =
        FinalState { session: "s".to_owned(), messages, total_count, last_seq, other_events: OtherEvents::Exactly(1) };
    History { attempts, readers, finals: vec![state], ..History::default() }
}

/// The position of the next message: the session's opening has the first.
fn number_of(messages: &[StoredMessage]) -> u64 {
    messages.len() as u64 + 2
}

/// A reader that sees everything from one place on, in two connections.
fn reader_logs(reader: usize, cuts: &[Index], messages: &[StoredMessage]) -> Vec<ReaderLog> {
    let from = cuts[0].index(messages.len() + 1);
    let cut = from + cuts.last().unwrap().index(messages.len() - from + 1);
    let events = |messages: &[StoredMessage]| {
        messages
            .iter()
            .map(|message| ReadEvent { seq: message.seq, message: Some(message.id.clone()), ..ReadEvent::default() })
            .collect()
    };
    let log = |start, complete, events| ReaderLog {
        reader: format!("r{reader}"),
        session: "s".to_owned(),
        start,
        complete,
        events,
    };
    let first = if from == 0 { ReaderStart::Beginning } else { ReaderStart::Anywhere };
    let mut opened: Vec<ReadEvent> = events(&messages[from..cut]);
    if from == 0 {
        opened.insert(0, ReadEvent { seq: Some(1), message: None, ..ReadEvent::default() });
    }
    // A reader that joined after the end has seen nothing, and cannot claim to be complete.
    let complete = from < messages.len();
    vec![log(first, false, opened), log(ReaderStart::Resumed, complete, events(&messages[cut..]))]
}

/// A fault of a service.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Lose,
    StoreTwice,
    StoreUnderTwoIds,
    Invent,
    SwapInReader,
    DropFromReader,
    RepeatInReader,
    GhostInReader,
    TwoIds,
    SeqGap,
    SeqRepeated,
    Reverse,
}

fn fault() -> impl Strategy<Value = Fault> {
    use Fault::*;
    prop::sample::select(vec![
        Lose,
        StoreTwice,
        StoreUnderTwoIds,
        Invent,
        SwapInReader,
        DropFromReader,
        RepeatInReader,
        GhostInReader,
        TwoIds,
        SeqGap,
        SeqRepeated,
        Reverse,
    ])
}

/// Brings the fault in; `None` where the history has no place for it. Answers what must be found.
fn inject(fault: Fault, history: &mut History, at: Index) -> Option<fn(&HistoryViolation) -> bool> {
    let acknowledged: Vec<String> = history
        .attempts
        .iter()
        .filter_map(|attempt| match &attempt.outcome {
            AttemptOutcome::Acknowledged { id, .. } => Some(id.clone()),
            _ => None,
        })
        .collect();
    let state = &mut history.finals[0];
    let place = (!state.messages.is_empty()).then(|| at.index(state.messages.len()));
    let reader = history.readers.iter_mut().find(|log| log.events.iter().filter(|e| e.message.is_some()).count() >= 3);
    match fault {
        Fault::Lose => {
            let id = (!acknowledged.is_empty()).then(|| at.get(&acknowledged))?;
            state.messages.retain(|message| message.id != *id);
            Some(|v| matches!(v, HistoryViolation::Lost { .. }))
        }
        Fault::StoreTwice => {
            let again = state.messages[place?].clone();
            state.messages.push(again);
            Some(|v| matches!(v, HistoryViolation::StoredTwice { .. }))
        }
        Fault::StoreUnderTwoIds => {
            let mut again = state.messages[place?].clone();
            again.id.push_str("-again");
            state.messages.push(again);
            Some(|v| matches!(v, HistoryViolation::StoredUnderTwoIds { .. }))
        }
        Fault::Invent => {
            let invented = StoredMessage { id: "x".to_owned(), content: "invented".to_owned(), seq: None };
            state.messages.insert(at.index(state.messages.len() + 1), invented);
            Some(|v| matches!(v, HistoryViolation::Phantom { .. }))
        }
        Fault::SwapInReader => {
            let last = reader.as_ref()?.events.len() - 1;
            reader?.events.swap(last - 1, last);
            Some(|v| matches!(v, HistoryViolation::ReaderReordered { .. }))
        }
        Fault::DropFromReader => {
            let log = reader?;
            log.events.remove(log.events.len() - 2);
            Some(|v| matches!(v, HistoryViolation::ReaderGap { .. }))
        }
        Fault::RepeatInReader => {
            let again = reader.as_ref()?.events.last()?.clone();
            reader?.events.push(again);
            Some(|v| matches!(v, HistoryViolation::ReaderRepeated { .. }))
        }
        Fault::GhostInReader => {
            reader?.events.push(ReadEvent { seq: None, message: Some("ghost".to_owned()), ..ReadEvent::default() });
            Some(|v| matches!(v, HistoryViolation::ReaderSawUnstored { .. }))
        }
        Fault::TwoIds => {
            let (index, _) = history
                .attempts
                .iter()
                .enumerate()
                .find(|(_, attempt)| matches!(attempt.outcome, AttemptOutcome::Acknowledged { .. }))?;
            let mut other = history.attempts[index].clone();
            other.outcome = AttemptOutcome::Acknowledged { id: "other".to_owned(), seq: None };
            history.attempts.push(other);
            Some(|v| matches!(v, HistoryViolation::TwoIdsForOneKey { .. }))
        }
        Fault::SeqGap => {
            state.last_seq = state.last_seq.map(|last| last + 1);
            Some(|v| matches!(v, HistoryViolation::SeqGap { .. }))
        }
        Fault::SeqRepeated => {
            let place = place.filter(|place| *place > 0)?;
            state.messages[place].seq = state.messages[place - 1].seq;
            Some(|v| matches!(v, HistoryViolation::SeqRepeated { .. }))
        }
        Fault::Reverse => reverse(history),
    }
}

/// Swaps the ends of the order when time says which comes first.
fn reverse(history: &mut History) -> Option<fn(&HistoryViolation) -> bool> {
    let messages = &mut history.finals[0].messages;
    let (first, last) = (messages.first()?.clone(), messages.last()?.clone());
    let of = |message: &StoredMessage| {
        let (content, attempts) = (message.content.clone(), &history.attempts);
        attempts.iter().filter(move |attempt| attempt.content == content)
    };
    let acknowledged = of(&first)
        .filter(|attempt| matches!(attempt.outcome, AttemptOutcome::Acknowledged { .. }))
        .map(|attempt| attempt.ended_us)
        .min()?;
    let began = of(&last).map(|attempt| attempt.began_us).min()?;
    if acknowledged >= began {
        return None;
    }
    let end = messages.len() - 1;
    messages.swap(0, end);
    Some(|v| matches!(v, HistoryViolation::OrderReversed { .. }))
}

fn histories() -> impl Strategy<Value = History> {
    (prop::collection::vec(choice(), 1..40), prop::collection::vec(any::<Index>(), 2..7))
        .prop_map(|(choices, cuts)| history(&choices, &cuts))
}

proptest! {
    #[test]
    fn any_history_that_follows_the_rules_passes(history in histories()) {
        prop_assert_eq!(check(&history), []);
    }

    #[test]
    fn one_fault_of_any_kind_is_found(mut history in histories(), fault in fault(), at in any::<Index>()) {
        let Some(wanted) = inject(fault, &mut history, at) else { return Ok(()) };
        let found = check(&history);
        prop_assert!(found.iter().any(wanted), "{:?} was not found, but {:?}", fault, found);
    }
}

#[test]
fn every_kind_of_fault_has_its_place_in_some_history() {
    // Otherwise the property above could pass by never trying one.
    let choice = |writer| Choice { writer, without_response: 0, acknowledged: true, stored: true, repeated: false };
    let choices: Vec<Choice> = (0..8).map(|number| choice(number % 4)).collect();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cuts: Vec<Index> = {
        let tree = prop::collection::vec(any::<Index>(), 4).new_tree(&mut runner).unwrap();
        tree.current()
    };
    for fault in [
        Fault::Lose,
        Fault::StoreTwice,
        Fault::StoreUnderTwoIds,
        Fault::Invent,
        Fault::TwoIds,
        Fault::SeqGap,
        Fault::Reverse,
    ] {
        let mut history = history(&choices, &cuts);
        assert!(inject(fault, &mut history, cuts[0]).is_some(), "{fault:?}");
    }
}
