//! Sequence numbers: 1, 2, 3 … for all durable events of a session, each message with the same one wherever it is seen.

use std::collections::BTreeMap;

use super::facts::SessionFacts;
use super::{HistoryViolation, OtherEvents};

pub(super) fn check(facts: &SessionFacts<'_>, found: &mut Vec<HistoryViolation>) {
    let session = || facts.session.to_owned();
    let state = facts.state;
    let mut last: Option<u64> = None;
    for message in &state.messages {
        let Some(seq) = message.seq else { continue };
        if last.is_some_and(|last| seq == last) {
            found.push(HistoryViolation::SeqRepeated { session: session(), seq });
        } else if last.is_some_and(|last| seq < last) {
            found.push(HistoryViolation::SeqBackwards { session: session(), id: message.id.clone(), seq });
        }
        last = Some(seq);
    }
    if let Some(last_seq) = state.last_seq {
        // Dense numbering: the last number is the number of events.
        let messages = state.messages.len() as u64;
        let (fits, others) = match state.other_events {
            OtherEvents::Exactly(others) => (last_seq == messages + others, others),
            OtherEvents::AtLeast(others) => (last_seq >= messages + others, others),
        };
        if !fits {
            found.push(HistoryViolation::SeqGap { session: session(), last_seq, messages, others });
        }
        if last.is_some_and(|last| last > last_seq) {
            found.push(HistoryViolation::SeqBeyondLast { session: session(), last_seq });
        }
    }
    agree(facts, found);
}

/// Whether readers and the final state have one sequence number for a message.
fn agree(facts: &SessionFacts<'_>, found: &mut Vec<HistoryViolation>) {
    let stored = facts.state.messages.iter().filter_map(|message| Some((message.id.as_str(), message.seq?)));
    let seen = facts.readers.values().flatten().flat_map(|log| &log.events);
    let seen = seen.filter_map(|event| Some((event.message.as_deref()?, event.seq?)));
    let acknowledged = facts.seqs.iter().copied();
    let mut seq_of: BTreeMap<&str, u64> = BTreeMap::new();
    let mut id_at: BTreeMap<u64, &str> = BTreeMap::new();
    for (id, seq) in stored.chain(acknowledged).chain(seen) {
        let first = *seq_of.entry(id).or_insert(seq);
        if first != seq {
            let (session, id) = (facts.session.to_owned(), id.to_owned());
            found.push(HistoryViolation::TwoSeqs { session, id, seqs: [first, seq] });
        }
        let other = *id_at.entry(seq).or_insert(id);
        if other != id {
            let ids = [other.to_owned(), id.to_owned()];
            found.push(HistoryViolation::OneSeqForTwo { session: facts.session.to_owned(), seq, ids });
        }
    }
}
