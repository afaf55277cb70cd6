//! A history as lines of JSON, one record each, so that it can be written while a run goes on and checked again later.

use serde::{Deserialize, Serialize};

use super::{Attempt, FinalInbox, FinalState, History, InboxLog, ReaderLog};

/// One line.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum LineRef<'a> {
    Attempt(&'a Attempt),
    Reader(&'a ReaderLog),
    Final(&'a FinalState),
    Inbox(&'a InboxLog),
    FinalInbox(&'a FinalInbox),
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Line {
    Attempt(Attempt),
    Reader(ReaderLog),
    Final(FinalState),
    Inbox(InboxLog),
    FinalInbox(FinalInbox),
}

/// A line is no record of a history.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct JournalError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// The lines of a history, each with its line break.
pub fn to_lines(history: &History) -> impl Iterator<Item = Result<String, serde_json::Error>> {
    let attempts = history.attempts.iter().map(LineRef::Attempt);
    let readers = history.readers.iter().map(LineRef::Reader);
    let finals = history.finals.iter().map(LineRef::Final);
    let inboxes = history.inboxes.iter().map(LineRef::Inbox);
    let final_inboxes = history.final_inboxes.iter().map(LineRef::FinalInbox);
    let lines = attempts.chain(readers).chain(finals).chain(inboxes).chain(final_inboxes);
    lines.map(|line| serde_json::to_string(&line).map(|text| text + "\n"))
}

/// Reads a history back. Empty lines are skipped.
///
/// # Errors
/// The first line that is no record.
pub fn from_lines(text: &str) -> Result<History, JournalError> {
    let mut history = History::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let record =
            serde_json::from_str(line).map_err(|error| JournalError { line: index + 1, problem: error.to_string() })?;
        match record {
            Line::Attempt(attempt) => history.attempts.push(attempt),
            Line::Reader(log) => history.readers.push(log),
            Line::Final(state) => history.finals.push(state),
            Line::Inbox(log) => history.inboxes.push(log),
            Line::FinalInbox(inbox) => history.final_inboxes.push(inbox),
        }
    }
    Ok(history)
}
