//! Open inboxes: within the life of a snapshot no session goes back, and in the end each shows what REST shows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{History, HistoryViolation, content_hash};

/// What a person's inbox showed on one socket, which begins with snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxLog {
    /// The name of the inbox. Its logs are in the order of its sockets.
    pub inbox: String,
    /// Whether it was given the time to show everything up to the end of the run.
    #[serde(default)]
    pub complete: bool,
    /// Snapshots and updates in the order in which they came.
    pub states: Vec<InboxLogEntry>,
}

/// A frame of an inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum InboxLogEntry {
    /// A view as it is.
    Snapshot(ViewPage),
    /// A session of a view as it is.
    Update {
        /// The view.
        view: String,
        /// The session.
        session: String,
        /// Its item; none when the session has left the view.
        item: Option<InboxItem>,
        /// The counts of the inbox, as JSON.
        counts: String,
    },
}

/// The sessions of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewPage {
    /// The view.
    pub view: String,
    /// Its sessions.
    pub items: Vec<InboxItem>,
    /// The counts of the inbox, as JSON.
    pub counts: String,
    /// Whether these are all sessions of the view. If not, a session that is not here is not missing.
    pub whole: bool,
}

/// A session in a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxItem {
    /// Which.
    pub session: String,
    /// The sequence number of its newest event.
    pub seq: u64,
    /// [`content_hash`] of the whole item.
    pub item_hash: u64,
}

/// An inbox after the run, as REST shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalInbox {
    /// The name of the inbox.
    pub inbox: String,
    /// All its views, each as a whole.
    pub views: Vec<ViewPage>,
}

impl InboxItem {
    /// Of an item as the service sends it; `None` when it is not as documented.
    pub fn of(item: &Value) -> Option<Self> {
        let (session, seq) = (item.get("id")?.as_str()?.to_owned(), item.get("seq")?.as_u64()?);
        Some(Self { session, seq, item_hash: content_hash(&item.to_string()) })
    }
}

impl ViewPage {
    /// Of the data of an `inbox` frame, or of a response to `GET /api/chat/inbox`, which does not name its view.
    pub fn of(view: &str, page: &Value) -> Option<Self> {
        let items = page.get("items")?.as_array()?.iter().map(InboxItem::of).collect::<Option<_>>()?;
        let (counts, whole) = (page.get("counts")?.to_string(), page.get("nextCursor")?.is_null());
        Some(Self { view: view.to_owned(), items, counts, whole })
    }
}

/// What an inbox shows of a view.
#[derive(Debug, Default)]
struct ShownView<'a> {
    items: BTreeMap<&'a str, &'a InboxItem>,
    whole: bool,
    /// The highest number that was shown of each session, also of those that have left the view.
    seqs: BTreeMap<&'a str, u64>,
}

pub(super) fn check(history: &History, found: &mut Vec<HistoryViolation>) {
    let mut finals: BTreeMap<&str, &FinalInbox> = BTreeMap::new();
    for inbox in &history.final_inboxes {
        if finals.insert(&inbox.inbox, inbox).is_some() {
            found.push(HistoryViolation::TwoFinalInboxes { inbox: inbox.inbox.clone() });
        }
    }
    let mut without_final: BTreeSet<&str> = BTreeSet::new();
    for log in &history.inboxes {
        let mut shown = BTreeMap::new();
        let mut counts = None;
        for state in &log.states {
            counts = Some(show(log, state, &mut shown, found));
        }
        match finals.get(log.inbox.as_str()) {
            None => {
                without_final.insert(&log.inbox);
            }
            Some(truth) if log.complete => compare(truth, &shown, counts, found),
            Some(_) => {}
        }
    }
    let of_inbox = |inbox: &str| HistoryViolation::NoFinalInbox { inbox: inbox.to_owned() };
    found.extend(without_final.into_iter().map(of_inbox));
}

/// Takes over a state; returns its counts.
fn show<'a>(
    log: &'a InboxLog,
    state: &'a InboxLogEntry,
    shown: &mut BTreeMap<&'a str, ShownView<'a>>,
    found: &mut Vec<HistoryViolation>,
) -> &'a str {
    let inbox = || log.inbox.clone();
    match state {
        InboxLogEntry::Snapshot(page) => {
            let ViewPage { view, items, counts, whole } = page;
            let named = |item: &'a InboxItem| (item.session.as_str(), item);
            let seqs = items.iter().map(|item| (item.session.as_str(), item.seq)).collect();
            shown.insert(view, ShownView { items: items.iter().map(named).collect(), whole: *whole, seqs });
            counts
        }
        InboxLogEntry::Update { view, session, item, counts } => {
            let Some(of_view) = shown.get_mut(view.as_str()) else {
                found.push(HistoryViolation::InboxUnopened { inbox: inbox(), view: view.clone() });
                return counts;
            };
            let Some(item) = item else {
                of_view.items.remove(session.as_str());
                return counts;
            };
            let highest = of_view.seqs.entry(session).or_insert(item.seq);
            if item.seq < *highest {
                let (view, session, seqs) = (view.clone(), session.clone(), [*highest, item.seq]);
                found.push(HistoryViolation::InboxBackwards { inbox: inbox(), view, session, seqs });
            }
            *highest = item.seq.max(*highest);
            of_view.items.insert(session, item);
            counts
        }
    }
}

/// What an inbox showed in the end must be what REST shows.
fn compare(
    truth: &FinalInbox,
    shown: &BTreeMap<&str, ShownView<'_>>,
    counts: Option<&str>,
    found: &mut Vec<HistoryViolation>,
) {
    let inbox = || truth.inbox.clone();
    for page in &truth.views {
        let view = || page.view.clone();
        let Some(of_view) = shown.get(page.view.as_str()) else {
            found.push(HistoryViolation::InboxUnopened { inbox: inbox(), view: view() });
            continue;
        };
        let stored: BTreeMap<&str, &InboxItem> = page.items.iter().map(|item| (item.session.as_str(), item)).collect();
        for (session, item) in &stored {
            let session = || (*session).to_owned();
            match of_view.items.get(item.session.as_str()) {
                None if of_view.whole => {
                    found.push(HistoryViolation::InboxMissing { inbox: inbox(), view: view(), session: session() });
                }
                Some(shown) if shown.seq != item.seq => {
                    let seqs = [shown.seq, item.seq];
                    found.push(HistoryViolation::InboxStale { inbox: inbox(), view: view(), session: session(), seqs });
                }
                Some(shown) if shown.item_hash != item.item_hash => {
                    found.push(HistoryViolation::InboxWrongItem { inbox: inbox(), view: view(), session: session() });
                }
                None | Some(_) => {}
            }
        }
        for session in of_view.items.keys().filter(|session| !stored.contains_key(*session)) {
            let session = (*session).to_owned();
            found.push(HistoryViolation::InboxNotLeft { inbox: inbox(), view: view(), session });
        }
        if let Some(counts) = counts.filter(|counts| *counts != page.counts) {
            let (shown, stored) = (counts.to_owned(), page.counts.clone());
            found.push(HistoryViolation::InboxCounts { inbox: inbox(), shown, stored });
        }
    }
}
