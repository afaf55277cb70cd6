//! The order of a session respects time: what was acknowledged before another message was begun stands before it
//! (linearizability of an append-only log, with the clock of one machine).

use std::collections::BTreeMap;

use super::HistoryViolation;
use super::facts::{SendFacts, SessionFacts};

pub(super) fn check(facts: &SessionFacts<'_>, found: &mut Vec<HistoryViolation>) {
    let by_content: BTreeMap<&str, &SendFacts<'_>> = facts.sends.values().map(|send| (send.content, send)).collect();
    // From the end: of all messages that stand later, the one that was acknowledged first.
    let mut earliest: Option<(u64, &str)> = None;
    for message in facts.state.messages.iter().rev() {
        let Some(send) = by_content.get(message.content.as_str()) else { continue };
        if let Some((acknowledged_us, id)) = earliest
            && acknowledged_us < send.began_us
            && id != message.id
        {
            found.push(HistoryViolation::OrderReversed {
                session: facts.session.to_owned(),
                acknowledged: id.to_owned(),
                begun_after: message.id.clone(),
            });
        }
        if let Some(acknowledged_us) = send.acknowledged_us
            && earliest.is_none_or(|(us, _)| acknowledged_us < us)
        {
            earliest = Some((acknowledged_us, &message.id));
        }
    }
}
