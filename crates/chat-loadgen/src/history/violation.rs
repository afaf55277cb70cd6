//! What can be wrong with a history, in words.

/// One thing that is wrong. Ids are those of messages unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says what it is and what its fields are")]
pub enum HistoryViolation {
    #[error("session {session}: message {id} (key {key}) was acknowledged but is not stored")]
    Lost { session: String, id: String, key: String },
    #[error("session {session}: message {id} is stored more than once")]
    StoredTwice { session: String, id: String },
    #[error("session {session}: the message with key {key} is stored under several ids: {}", ids.join(", "))]
    StoredUnderTwoIds { session: String, key: String, ids: Vec<String> },
    #[error("session {session}: message {id} is stored but was never sent: {content:?}")]
    Phantom { session: String, id: String, content: String },
    #[error("session {session}: the message with key {key} was refused but is stored as {id}")]
    RefusedButStored { session: String, key: String, id: String },
    #[error("session {session}: message {id} was sent as {sent:?} but is stored as {stored:?}")]
    WrongContent { session: String, id: String, sent: String, stored: String },
    #[error("session {session}: key {key} was acknowledged with several ids: {}", ids.join(", "))]
    TwoIdsForOneKey { session: String, key: String, ids: Vec<String> },
    #[error("session {session}: message {id} was acknowledged for two keys: {} and {}", keys[0], keys[1])]
    OneIdForTwoKeys { session: String, id: String, keys: [String; 2] },
    #[error("session {session}: the service counts {counted} messages but lists {listed}")]
    WrongCount { session: String, counted: u64, listed: u64 },
    #[error(
        "session {session}: message {acknowledged} was acknowledged before {begun_after} was begun but stands after it"
    )]
    OrderReversed { session: String, acknowledged: String, begun_after: String },
    #[error("session {session}: seq {last_seq} is the last, with {messages} messages and {others} other events known")]
    SeqGap { session: String, last_seq: u64, messages: u64, others: u64 },
    #[error("session {session}: two messages in a row have seq {seq}")]
    SeqRepeated { session: String, seq: u64 },
    #[error("session {session}: message {id} has seq {seq}, which is below that of the message before it")]
    SeqBackwards { session: String, id: String, seq: u64 },
    #[error("session {session}: a message stands after seq {last_seq}, which the service names as the last")]
    SeqBeyondLast { session: String, last_seq: u64 },
    #[error("session {session}: message {id} has seq {} in one place and {} in another", seqs[0], seqs[1])]
    TwoSeqs { session: String, id: String, seqs: [u64; 2] },
    #[error("session {session}: seq {seq} belongs to message {} and to {}", ids[0], ids[1])]
    OneSeqForTwo { session: String, seq: u64, ids: [String; 2] },
    #[error("session {session}: reader {reader} saw message {id} twice")]
    ReaderRepeated { reader: String, session: String, id: String },
    #[error("session {session}: reader {reader} saw message {id} after one that stands behind it")]
    ReaderReordered { reader: String, session: String, id: String },
    #[error("session {session}: reader {reader} missed {} before {before}", some(missing))]
    ReaderGap { reader: String, session: String, before: String, missing: Vec<String> },
    #[error("session {session}: reader {reader} waited to the end and did not see {}", some(missing))]
    ReaderIncomplete { reader: String, session: String, missing: Vec<String> },
    #[error("session {session}: reader {reader} saw message {id}, which is not stored")]
    ReaderSawUnstored { reader: String, session: String, id: String },
    #[error("session {session}: reader {reader} saw message {id} with another content than the one that is stored")]
    ReaderWrongContent { reader: String, session: String, id: String },
    #[error("session {session}: reader {reader} saw seq {seen} where {expected} was due")]
    ReaderSeq { reader: String, session: String, expected: u64, seen: u64 },
    #[error(
        "session {session}: after message {after} reader {} saw {} but reader {} saw {}",
        readers[0], saw[0], readers[1], saw[1]
    )]
    ReadersDisagree { session: String, after: String, readers: [String; 2], saw: [String; 2] },
    #[error("inbox {inbox}: {view} shows {session} at seq {} after it was at {}", seqs[1], seqs[0])]
    InboxBackwards { inbox: String, view: String, session: String, seqs: [u64; 2] },
    #[error("inbox {inbox}: {view} was updated, or is part of the inbox, but no snapshot of it came")]
    InboxUnopened { inbox: String, view: String },
    #[error("inbox {inbox}: {view} does not show {session} in the end, which is in it")]
    InboxMissing { inbox: String, view: String, session: String },
    #[error("inbox {inbox}: {view} shows {session} in the end, which is not in it")]
    InboxNotLeft { inbox: String, view: String, session: String },
    #[error("inbox {inbox}: {view} shows {session} at seq {} in the end, and it is at {}", seqs[0], seqs[1])]
    InboxStale { inbox: String, view: String, session: String, seqs: [u64; 2] },
    #[error("inbox {inbox}: {view} shows {session} in the end with another content than the one that is stored")]
    InboxWrongItem { inbox: String, view: String, session: String },
    #[error("inbox {inbox}: the counts are {shown} in the end, and should be {stored}")]
    InboxCounts { inbox: String, shown: String, stored: String },
    #[error("inbox {inbox}: the history has no final state of it, so it cannot be judged")]
    NoFinalInbox { inbox: String },
    #[error("inbox {inbox}: the history has two final states of it")]
    TwoFinalInboxes { inbox: String },
    #[error("session {session}: the history has no final state, so it cannot be judged")]
    NoFinalState { session: String },
    #[error("session {session}: the history has two final states")]
    TwoFinalStates { session: String },
    #[error("session {session}: the history has different contents for key {key}")]
    KeyReused { session: String, key: String },
    #[error("session {session}: the history has the same content for keys {} and {}", keys[0], keys[1])]
    AmbiguousContent { session: String, keys: [String; 2] },
}

impl HistoryViolation {
    /// Whether it is about what an inbox showed on the way, and not about what it shows in the end.
    pub(crate) fn is_of_the_way(&self) -> bool {
        matches!(self, Self::InboxBackwards { .. })
    }
}

/// Some of many ids, and how many more there are.
fn some(ids: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = ids.iter().take(SHOWN).map(String::as_str).collect();
    let more = ids.len().saturating_sub(SHOWN);
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{rest}", shown.join(", "))
}
