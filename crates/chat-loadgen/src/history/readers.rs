//! Readers: each saw a contiguous slice of the final order, and all saw the same order.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::SessionFacts;
use super::{HistoryViolation, ReadEvent, ReaderLog, ReaderStart, content_hash};

pub(super) fn check(facts: &SessionFacts<'_>, found: &mut Vec<HistoryViolation>) {
    for (reader, logs) in &facts.readers {
        ReaderCheck { facts, name: reader, seen: BTreeSet::new() }.check(logs, found);
    }
    agree(facts, found);
}

/// One reader of one session, over all its connections.
struct ReaderCheck<'a> {
    facts: &'a SessionFacts<'a>,
    name: &'a str,
    seen: BTreeSet<&'a str>,
}

/// Up to where a reader has got in the final order and in the numbering.
#[derive(Clone, Copy, Default)]
struct ReaderPlace {
    /// The place of the last message.
    place: Option<usize>,
    seq: Option<u64>,
    /// Whether the next message must be the next one of the final order.
    joined: bool,
}

impl<'a> ReaderCheck<'a> {
    fn check(&mut self, logs: &[&'a ReaderLog], found: &mut Vec<HistoryViolation>) {
        let mut at = ReaderPlace::default();
        for log in logs {
            match log.start {
                // The place before the first message is "no place", and the next one is the first.
                ReaderStart::Beginning => {
                    at = ReaderPlace { place: None, seq: Some(0), joined: true };
                    self.seen.clear();
                }
                ReaderStart::Resumed => at.joined = at.joined || at.place.is_some(),
                ReaderStart::Anywhere => {
                    at = ReaderPlace::default();
                    self.seen.clear();
                }
            }
            for event in &log.events {
                self.check_seq(event, &mut at, found);
                if let Some(id) = &event.message {
                    self.check_content(id, event.content_hash, found);
                    self.check_message(id, &mut at, found);
                }
            }
            if log.complete {
                self.check_end(at, found);
            }
        }
    }

    fn names(&self) -> (String, String) {
        (self.name.to_owned(), self.facts.session.to_owned())
    }

    /// Where both are known, an event has the number after the one before.
    fn check_seq(&self, event: &ReadEvent, at: &mut ReaderPlace, found: &mut Vec<HistoryViolation>) {
        if let (Some(last), Some(seq)) = (at.seq, event.seq)
            && seq != last + 1
        {
            let (reader, session) = self.names();
            found.push(HistoryViolation::ReaderSeq { reader, session, expected: last + 1, seen: seq });
        }
        at.seq = event.seq;
    }

    fn check_content(&self, id: &str, seen: Option<u64>, found: &mut Vec<HistoryViolation>) {
        let place = self.facts.place_of.get(id);
        let stored = place.and_then(|place| self.facts.state.messages.get(*place));
        if let (Some(seen), Some(stored)) = (seen, stored)
            && seen != content_hash(&stored.content)
        {
            let (reader, session) = self.names();
            found.push(HistoryViolation::ReaderWrongContent { reader, session, id: id.to_owned() });
        }
    }

    fn check_message(&mut self, id: &'a str, at: &mut ReaderPlace, found: &mut Vec<HistoryViolation>) {
        let (reader, session) = self.names();
        let Some(place) = self.facts.place_of.get(id).copied() else {
            found.push(HistoryViolation::ReaderSawUnstored { reader, session, id: id.to_owned() });
            return;
        };
        let fresh = self.seen.insert(id);
        let expected = at.place.map_or(0, |place| place + 1);
        if !fresh {
            found.push(HistoryViolation::ReaderRepeated { reader, session, id: id.to_owned() });
            // A repetition does not move the reader.
            return;
        }
        if at.place.is_some_and(|last| place < last) {
            found.push(HistoryViolation::ReaderReordered { reader, session, id: id.to_owned() });
            // Nor does a message that comes late: what follows is measured against the newest.
            return;
        }
        if (at.joined || at.place.is_some()) && place > expected {
            found.push(HistoryViolation::ReaderGap {
                reader,
                session,
                before: id.to_owned(),
                missing: self.ids(expected, place),
            });
        }
        at.place = Some(place);
    }

    fn check_end(&self, at: ReaderPlace, found: &mut Vec<HistoryViolation>) {
        let end = self.facts.state.messages.len();
        let next = at.place.map_or(0, |place| place + 1);
        if next < end {
            let (reader, session) = self.names();
            found.push(HistoryViolation::ReaderIncomplete { reader, session, missing: self.ids(next, end) });
        }
    }

    /// The messages of these places.
    fn ids(&self, from: usize, to: usize) -> Vec<String> {
        self.facts.state.messages.get(from..to).unwrap_or_default().iter().map(|message| message.id.clone()).collect()
    }
}

/// In slices of one order, a message has the same neighbours wherever it has any. The final order is left out on
/// purpose: readers may disagree about what is not stored, too.
fn agree(facts: &SessionFacts<'_>, found: &mut Vec<HistoryViolation>) {
    let mut after: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for (reader, logs) in &facts.readers {
        for log in logs {
            let ids: Vec<&str> = log.events.iter().filter_map(|event| event.message.as_deref()).collect();
            for (first, next) in ids.iter().zip(ids.iter().skip(1)) {
                let (other_reader, other_next) = *after.entry(first).or_insert((reader, next));
                if other_next != *next && other_reader != *reader {
                    found.push(HistoryViolation::ReadersDisagree {
                        session: facts.session.to_owned(),
                        after: (*first).to_owned(),
                        readers: [other_reader.to_owned(), (*reader).to_owned()],
                        saw: [other_next.to_owned(), (*next).to_owned()],
                    });
                }
            }
        }
    }
}
