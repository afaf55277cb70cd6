//! Acknowledged messages are stored exactly once, uncertain ones at most once, and nothing else is.

use std::collections::BTreeMap;

use super::HistoryViolation;
use super::facts::SessionFacts;

pub(super) fn check(facts: &SessionFacts<'_>, found: &mut Vec<HistoryViolation>) {
    let session = || facts.session.to_owned();
    let key_of = keys_by_content(facts, found);
    let mut ids_of_key: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (place, message) in facts.state.messages.iter().enumerate() {
        if facts.place_of.get(message.id.as_str()).is_some_and(|first| *first != place) {
            found.push(HistoryViolation::StoredTwice { session: session(), id: message.id.clone() });
            continue;
        }
        match key_of.get(message.content.as_str()) {
            Some(key) => ids_of_key.entry(key).or_default().push(&message.id),
            None => found.push(HistoryViolation::Phantom {
                session: session(),
                id: message.id.clone(),
                content: message.content.clone(),
            }),
        }
    }
    for (key, ids) in &ids_of_key {
        if ids.len() > 1 {
            let ids = ids.iter().map(|id| (*id).to_owned()).collect();
            found.push(HistoryViolation::StoredUnderTwoIds { session: session(), key: (*key).to_owned(), ids });
        }
    }
    check_sends(facts, &ids_of_key, found);
    if facts.state.total_count != facts.state.messages.len() as u64 {
        found.push(HistoryViolation::WrongCount {
            session: session(),
            counted: facts.state.total_count,
            listed: facts.state.messages.len() as u64,
        });
    }
}

/// Which key a stored content belongs to.
fn keys_by_content<'a>(facts: &SessionFacts<'a>, found: &mut Vec<HistoryViolation>) -> BTreeMap<&'a str, &'a str> {
    let mut keys = BTreeMap::new();
    for (key, send) in &facts.sends {
        if let Some(other) = keys.insert(send.content, *key) {
            let keys = [other.to_owned(), (*key).to_owned()];
            found.push(HistoryViolation::AmbiguousContent { session: facts.session.to_owned(), keys });
        }
    }
    keys
}

fn check_sends(facts: &SessionFacts<'_>, ids_of_key: &BTreeMap<&str, Vec<&str>>, found: &mut Vec<HistoryViolation>) {
    let session = || facts.session.to_owned();
    let mut key_of_id: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, send) in &facts.sends {
        if send.ids.len() > 1 {
            let ids = send.ids.iter().map(|id| (*id).to_owned()).collect();
            found.push(HistoryViolation::TwoIdsForOneKey { session: session(), key: (*key).to_owned(), ids });
        }
        for id in &send.ids {
            if let Some(other) = key_of_id.insert(id, key) {
                let keys = [other.to_owned(), (*key).to_owned()];
                found.push(HistoryViolation::OneIdForTwoKeys { session: session(), id: (*id).to_owned(), keys });
            }
            let stored = facts.place_of.get(id).and_then(|place| facts.state.messages.get(*place));
            match stored {
                None => {
                    found.push(HistoryViolation::Lost {
                        session: session(),
                        id: (*id).to_owned(),
                        key: (*key).to_owned(),
                    });
                }
                Some(stored) if stored.content != send.content => found.push(HistoryViolation::WrongContent {
                    session: session(),
                    id: (*id).to_owned(),
                    sent: send.content.to_owned(),
                    stored: stored.content.clone(),
                }),
                Some(_) => {}
            }
        }
        if send.ids.is_empty() && !send.may_be_stored {
            for id in ids_of_key.get(key).into_iter().flatten() {
                found.push(HistoryViolation::RefusedButStored {
                    session: session(),
                    key: (*key).to_owned(),
                    id: (*id).to_owned(),
                });
            }
        }
    }
}
