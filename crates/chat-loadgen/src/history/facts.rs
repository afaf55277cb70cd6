//! A history, sorted by session, message and reader.

use std::collections::BTreeMap;

use super::{Attempt, AttemptOutcome, FinalState, History, HistoryViolation, ReaderLog};

/// What is known about one session.
pub(super) struct SessionFacts<'a> {
    pub(super) session: &'a str,
    pub(super) state: &'a FinalState,
    /// By idempotency key.
    pub(super) sends: BTreeMap<&'a str, SendFacts<'a>>,
    /// Ids with the sequence numbers of acknowledgments.
    pub(super) seqs: Vec<(&'a str, u64)>,
    /// By reader, in the order of connections.
    pub(super) readers: BTreeMap<&'a str, Vec<&'a ReaderLog>>,
    /// Where a message stands in the final state; of a message that stands there twice, the first place.
    pub(super) place_of: BTreeMap<&'a str, usize>,
}

/// All attempts with one key.
pub(super) struct SendFacts<'a> {
    pub(super) content: &'a str,
    /// When its first attempt was begun.
    pub(super) began_us: u64,
    /// When its first acknowledgment was complete.
    pub(super) acknowledged_us: Option<u64>,
    /// Ids in acknowledgments, each once, in the order of attempts.
    pub(super) ids: Vec<&'a str>,
    /// With an attempt whose outcome is unknown.
    pub(super) may_be_stored: bool,
}

/// Sorts, and reports what cannot be sorted: sessions without a final state or with two.
pub(super) fn by_session<'a>(history: &'a History, found: &mut Vec<HistoryViolation>) -> Vec<SessionFacts<'a>> {
    let mut sessions: BTreeMap<&str, SessionFacts<'_>> = BTreeMap::new();
    for state in &history.finals {
        let facts = SessionFacts {
            session: &state.session,
            state,
            sends: BTreeMap::new(),
            seqs: Vec::new(),
            readers: BTreeMap::new(),
            place_of: places(state),
        };
        if sessions.insert(&state.session, facts).is_some() {
            found.push(HistoryViolation::TwoFinalStates { session: state.session.clone() });
        }
    }
    let mut without_state: Vec<&str> = Vec::new();
    for attempt in &history.attempts {
        match sessions.get_mut(attempt.session.as_str()) {
            Some(facts) => add_attempt(facts, attempt, found),
            None => without_state.push(&attempt.session),
        }
    }
    for log in &history.readers {
        match sessions.get_mut(log.session.as_str()) {
            Some(facts) => facts.readers.entry(&log.reader).or_default().push(log),
            None => without_state.push(&log.session),
        }
    }
    without_state.sort_unstable();
    without_state.dedup();
    found.extend(
        without_state.into_iter().map(|session| HistoryViolation::NoFinalState { session: session.to_owned() }),
    );
    sessions.into_values().collect()
}

fn places(state: &FinalState) -> BTreeMap<&str, usize> {
    // Backwards, so that the first place of a repeated message stays.
    state.messages.iter().enumerate().rev().map(|(place, message)| (message.id.as_str(), place)).collect()
}

fn add_attempt<'a>(facts: &mut SessionFacts<'a>, attempt: &'a Attempt, found: &mut Vec<HistoryViolation>) {
    let send = facts.sends.entry(&attempt.key).or_insert_with(|| SendFacts {
        content: &attempt.content,
        began_us: attempt.began_us,
        acknowledged_us: None,
        ids: Vec::new(),
        may_be_stored: false,
    });
    if send.content != attempt.content {
        found.push(HistoryViolation::KeyReused { session: attempt.session.clone(), key: attempt.key.clone() });
    }
    send.began_us = send.began_us.min(attempt.began_us);
    match &attempt.outcome {
        AttemptOutcome::Acknowledged { id, seq } => {
            facts.seqs.extend(seq.map(|seq| (id.as_str(), seq)));
            if !send.ids.contains(&id.as_str()) {
                send.ids.push(id);
            }
            let ended = attempt.ended_us;
            send.acknowledged_us = Some(send.acknowledged_us.map_or(ended, |first| first.min(ended)));
        }
        AttemptOutcome::Unknown => send.may_be_stored = true,
        AttemptOutcome::Refused { .. } => {}
    }
}
