//! The history of a run and what must hold in it. Pure: records in, violations out; no I/O, no clock.
//!
//! A history has three parts: every attempt to send a message with what came of it, what each reader saw in which
//! order, and the final state; and where inboxes were open, what each showed and what it should show in the end.
//! [`check`] compares them; `docs/loadgen.md` lists the rules.

mod facts;
mod inboxes;
mod journal;
mod order;
mod readers;
mod seqs;
mod stored;
mod violation;

use serde::{Deserialize, Serialize};

pub use inboxes::{FinalInbox, InboxItem, InboxLog, InboxLogEntry, ViewPage};
pub use journal::{JournalError, from_lines, to_lines};
pub use violation::HistoryViolation;

/// One request to store a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The session that it was sent to.
    pub session: String,
    /// The name of the writer.
    pub writer: String,
    /// The idempotency key. Attempts with the same key of a session are one message.
    pub key: String,
    /// What was sent. Different keys of a session have different contents, so that a stored message tells its key.
    pub content: String,
    /// When the request was begun, in microseconds of one monotonic clock for the whole history.
    pub began_us: u64,
    /// When its response was complete, or was not waited for any more.
    pub ended_us: u64,
    /// What came of it.
    pub outcome: AttemptOutcome,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttemptOutcome {
    /// 201: the message is stored for good.
    Acknowledged {
        /// The id of the message.
        id: String,
        /// Its sequence number, where the response has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
    },
    /// A 4xx: the message is not stored.
    Refused {
        /// Which.
        status: u16,
    },
    /// No response, or a 5xx: the message may be stored or not.
    Unknown,
}

/// What a reader saw on one connection to one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReaderLog {
    /// The name of the reader. The logs of a reader and a session are in the order of its connections.
    pub reader: String,
    /// What was read.
    pub session: String,
    /// Where the connection began.
    pub start: ReaderStart,
    /// Whether the reader was given the time to see everything up to the end of the run.
    #[serde(default)]
    pub complete: bool,
    /// The durable events in the order in which they came.
    pub events: Vec<ReadEvent>,
}

/// Where a connection began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReaderStart {
    /// With the first event of the session.
    Beginning,
    /// Right after the last event that this reader saw on its connection before.
    Resumed,
    /// With the event that came first.
    Anywhere,
}

/// A durable event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadEvent {
    /// Its sequence number, where the reader gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The id of the message; none for an event that is not a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// [`content_hash`] of the message, where the reader kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<u64>,
}

/// A number that tells contents apart, the same in every run: 64-bit FNV-1a
/// (<https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>). A history has each message once for each reader, so it
/// keeps this instead of the content.
pub fn content_hash(content: &str) -> u64 {
    content.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A session after the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalState {
    /// Which.
    pub session: String,
    /// All its messages in order.
    pub messages: Vec<StoredMessage>,
    /// How many the service counts.
    pub total_count: u64,
    /// The last sequence number, where the service has it in its response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seq: Option<u64>,
    /// What is known about the events that are not messages.
    pub other_events: OtherEvents,
}

/// How many events of a session are not messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OtherEvents {
    /// Exactly this many.
    Exactly(u64),
    /// These and possibly more, such as receipts.
    AtLeast(u64),
}

/// A message of the final state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMessage {
    /// Its id.
    pub id: String,
    /// Its text.
    pub content: String,
    /// Its sequence number, where the service has it in its response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// Everything that is known about a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// In any order.
    pub attempts: Vec<Attempt>,
    /// In the order of connections for each reader and session.
    pub readers: Vec<ReaderLog>,
    /// One for each session.
    pub finals: Vec<FinalState>,
    /// In the order of sockets for each inbox.
    pub inboxes: Vec<InboxLog>,
    /// One for each inbox.
    pub final_inboxes: Vec<FinalInbox>,
}

/// How much a history has, to show that a verdict is about something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistorySize {
    /// Sessions with a final state.
    pub sessions: u64,
    /// Requests to store a message.
    pub attempts: u64,
    /// Those that were acknowledged.
    pub acknowledged: u64,
    /// Those with an unknown outcome.
    pub unknown: u64,
    /// Messages of the final state.
    pub stored: u64,
    /// Events that readers saw.
    pub seen: u64,
    /// Connections of readers.
    pub reader_connections: u64,
    /// Sockets of inboxes.
    pub inbox_connections: u64,
    /// Snapshots and updates of inboxes.
    pub inbox_states: u64,
}

impl History {
    /// How much it has.
    pub fn size(&self) -> HistorySize {
        let count = |wanted: fn(&AttemptOutcome) -> bool| {
            self.attempts.iter().filter(|attempt| wanted(&attempt.outcome)).count() as u64
        };
        HistorySize {
            sessions: self.finals.len() as u64,
            attempts: self.attempts.len() as u64,
            acknowledged: count(|outcome| matches!(outcome, AttemptOutcome::Acknowledged { .. })),
            unknown: count(|outcome| matches!(outcome, AttemptOutcome::Unknown)),
            stored: self.finals.iter().map(|state| state.messages.len() as u64).sum(),
            seen: self.readers.iter().map(|log| log.events.len() as u64).sum(),
            reader_connections: self.readers.len() as u64,
            inbox_connections: self.inboxes.len() as u64,
            inbox_states: self.inboxes.iter().map(|log| log.states.len() as u64).sum(),
        }
    }
}

/// Returns everything that is wrong with a history; nothing when it is good. Takes time in proportion to its size.
pub fn check(history: &History) -> Vec<HistoryViolation> {
    let mut found = Vec::new();
    let sessions = facts::by_session(history, &mut found);
    for session in &sessions {
        stored::check(session, &mut found);
        order::check(session, &mut found);
        seqs::check(session, &mut found);
        readers::check(session, &mut found);
    }
    inboxes::check(history, &mut found);
    found
}
