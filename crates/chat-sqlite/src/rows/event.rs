//! Rows of `chat_session_events`.
//!
//! The column `data` is JSON of the structs below. A change of a session keeps what can change about a session and
//! nothing else: the rest is in the session's row for good, so that a replayed event equals the one that was published.

use chat_domain::model::{
    AgentId, Change, ChatSession, MessageId, Progress, Receipt, ReceiptStatus, Seq, SessionEvent, SessionState,
    Timestamp, UserId,
};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::schema::chat_session_events;
use crate::values::{DbId, seq_from_db, to_db, valid};

const DATA: &str = "chat_session_events.data";

/// An event as it is read.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_session_events, check_for_backend(diesel::sqlite::Sqlite))]
pub(crate) struct EventRow {
    seq: i64,
    kind: String,
    actor: String,
    at: i64,
    data: String,
}

/// An event that just happened.
#[derive(Insertable)]
#[diesel(table_name = chat_session_events, treat_none_as_default_value = false)]
pub(crate) struct NewEvent<'a> {
    session_id: DbId,
    seq: i64,
    kind: &'static str,
    actor: &'a str,
    at: i64,
    data: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionData {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// Set when the session is closed, and only then.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
    message_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_since: Option<i64>,
    unread_by_user: u64,
    unread_by_support: u64,
    delivered_to_user: u64,
    delivered_to_support: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptData {
    up_to: u64,
    messages: Vec<String>,
}

impl<'a> NewEvent<'a> {
    /// The row of an event; `None` for a message, whose own row is its event.
    pub(crate) fn new(event: &'a SessionEvent) -> Result<Option<Self>, Failure> {
        let (kind, data) = match &event.change {
            Change::Opened(session) => ("opened", session_data(session)),
            Change::Assigned(session) => ("assigned", session_data(session)),
            Change::Transferred(session) => ("transferred", session_data(session)),
            Change::Closed(session) => ("closed", session_data(session)),
            Change::Receipt(receipt) => (receipt.status.as_str(), receipt_data(receipt)),
            Change::Message(_) => return Ok(None),
        };
        Ok(Some(Self {
            session_id: event.session_id.into(),
            seq: to_db(event.seq.get()),
            kind,
            actor: event.actor.as_str(),
            at: event.at.unix_ms(),
            data: data.map_err(|_| Failure::corrupt(DATA, "cannot be written as JSON"))?,
        }))
    }
}

fn session_data(session: &ChatSession) -> serde_json::Result<String> {
    let progress = &session.progress;
    serde_json::to_string(&SessionData {
        agent: session.agent().map(|agent| agent.as_str().to_owned()),
        ended_at: session.ended_at().map(Timestamp::unix_ms),
        message_count: progress.message_count,
        waiting_since: progress.waiting_since.map(Timestamp::unix_ms),
        unread_by_user: progress.unread_by_user,
        unread_by_support: progress.unread_by_support,
        delivered_to_user: progress.delivered_to_user.get(),
        delivered_to_support: progress.delivered_to_support.get(),
    })
}

fn receipt_data(receipt: &Receipt) -> serde_json::Result<String> {
    serde_json::to_string(&ReceiptData {
        up_to: receipt.up_to.get(),
        messages: receipt.messages.iter().map(MessageId::to_string).collect(),
    })
}

impl EventRow {
    /// The event as it was published. `session` is the session at any later time.
    pub(crate) fn into_event(self, session: &ChatSession) -> Result<SessionEvent, Failure> {
        let seq = seq_from_db("chat_session_events.seq", self.seq)?;
        let actor = valid("chat_session_events.actor", UserId::parse(&self.actor))?;
        let change = match self.kind.as_str() {
            "opened" => Change::Opened(session_then(session, seq, &self.data)?),
            "assigned" => Change::Assigned(session_then(session, seq, &self.data)?),
            "transferred" => Change::Transferred(session_then(session, seq, &self.data)?),
            "closed" => Change::Closed(session_then(session, seq, &self.data)?),
            "delivered" => Change::Receipt(receipt(ReceiptStatus::Delivered, &actor, &self.data)?),
            "read" => Change::Receipt(receipt(ReceiptStatus::Read, &actor, &self.data)?),
            _ => return Err(Failure::corrupt("chat_session_events.kind", "is unknown")),
        };
        Ok(SessionEvent { session_id: session.id, seq, at: Timestamp::from_unix_ms(self.at), actor, change })
    }
}

fn session_then(session: &ChatSession, seq: Seq, json: &str) -> Result<ChatSession, Failure> {
    let data: SessionData = parse(json)?;
    let agent = data.agent.map(|agent| valid(DATA, AgentId::parse(&agent))).transpose()?;
    let state = match data.ended_at {
        None => SessionState::Active { agent },
        Some(at) => SessionState::Closed { agent, at: Timestamp::from_unix_ms(at) },
    };
    let progress = Progress {
        last_seq: seq,
        message_count: data.message_count,
        waiting_since: data.waiting_since.map(Timestamp::from_unix_ms),
        unread_by_user: data.unread_by_user,
        unread_by_support: data.unread_by_support,
        delivered_to_user: Seq::new(data.delivered_to_user),
        delivered_to_support: Seq::new(data.delivered_to_support),
    };
    Ok(ChatSession { state, progress, ..session.clone() })
}

fn receipt(status: ReceiptStatus, reader: &UserId, json: &str) -> Result<Receipt, Failure> {
    let data: ReceiptData = parse(json)?;
    let messages: Option<Vec<MessageId>> = data.messages.iter().map(|id| MessageId::parse(id)).collect();
    let messages = messages.ok_or_else(|| Failure::corrupt(DATA, "names a message by something that is no id"))?;
    Ok(Receipt { reader: reader.clone(), status, up_to: Seq::new(data.up_to), messages })
}

fn parse<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(|_| Failure::corrupt(DATA, "is not the JSON of its kind"))
}
