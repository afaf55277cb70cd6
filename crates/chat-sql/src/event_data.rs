//! The JSON in `chat_session_events.data`.
//!
//! A change of a session keeps what can change about a session and nothing else: the rest is in the session's row for
//! good, so that a replayed event equals the one that was published. What a session is about seldom changes: an event has it
//! from the first such change on, and before that it is what the session was opened with, which the row keeps.

use chat_domain::model::{
    AgentId, ChatSession, EventChange, KnownPeople, LatestActivity, MessageId, Progress, Receipt, ReceiptStatus, Seq,
    SessionDetails, SessionEvent, SessionState, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use crate::Corrupt;
use crate::details::DetailsData;
use crate::values::{seq_from_db, valid};

const DATA: &str = "chat_session_events.data";
const KIND: &str = "chat_session_events.kind";

/// What a row of `chat_session_events` holds besides the session's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// The position.
    pub seq: i64,
    /// The kind of change.
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What else there is to tell, as JSON.
    pub data: String,
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
    user_delivered_seq: u64,
    support_delivered_seq: u64,
    /// Events that were written before there was this mark do not have it, and did not tell it.
    #[serde(default)]
    user_read_seq: u64,
    #[serde(default)]
    support_read_seq: u64,
    /// What the session is about, if that is no longer what it was opened with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<DetailsData>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptData {
    up_to: u64,
    messages: Vec<String>,
}

/// The row of an event: its kind and its data. `None` for a message, whose own row is its event.
///
/// # Errors
/// It is of a kind that this version does not know, and so does not make.
pub fn encode_event(event: &SessionEvent) -> Result<Option<(&'static str, String)>, Corrupt> {
    let (kind, data) = match &event.change {
        EventChange::Opened(session) => ("opened", session_data(session)),
        EventChange::Assigned(session) => ("assigned", session_data(session)),
        EventChange::Transferred(session) => ("transferred", session_data(session)),
        EventChange::Updated(session) => ("updated", session_data(session)),
        EventChange::Closed(session) => ("closed", session_data(session)),
        EventChange::Receipt(receipt) => (receipt.status.as_str(), receipt_data(receipt)),
        EventChange::Message(_) => return Ok(None),
        EventChange::Unknown => return Err(Corrupt { column: KIND, problem: "is unknown and cannot be written" }),
    };
    let data = data.map_err(|_| Corrupt { column: DATA, problem: "cannot be written as JSON" })?;
    Ok(Some((kind, data)))
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
        user_delivered_seq: progress.user_delivered_seq.get(),
        support_delivered_seq: progress.support_delivered_seq.get(),
        user_read_seq: progress.user_read_seq.get(),
        support_read_seq: progress.support_read_seq.get(),
        details: session.opened_with.as_ref().map(|_| DetailsData::from(&session.details())),
    })
}

fn receipt_data(receipt: &Receipt) -> serde_json::Result<String> {
    serde_json::to_string(&ReceiptData {
        up_to: receipt.up_to.get(),
        messages: receipt.messages.iter().map(MessageId::to_string).collect(),
    })
}

/// The event as it was published. `session` is the session at any later time. A kind that this version does not know is
/// `EventChange::Unknown`; the data of a known kind may have more fields than this version knows.
///
/// # Errors
/// The row holds something that was never written.
pub fn decode_event(row: &EventRecord, session: &ChatSession) -> Result<SessionEvent, Corrupt> {
    let seq = seq_from_db("chat_session_events.seq", row.seq)?;
    let actor = valid("chat_session_events.actor", UserId::parse(&row.actor))?;
    let at = Timestamp::from_unix_ms(row.at);
    let change = match row.kind.as_str() {
        "opened" => EventChange::Opened(session_then(session, seq, at, &row.data)?),
        "assigned" => EventChange::Assigned(session_then(session, seq, at, &row.data)?),
        "transferred" => EventChange::Transferred(session_then(session, seq, at, &row.data)?),
        "updated" => EventChange::Updated(session_then(session, seq, at, &row.data)?),
        "closed" => EventChange::Closed(session_then(session, seq, at, &row.data)?),
        "delivered" => EventChange::Receipt(receipt(ReceiptStatus::Delivered, &actor, &row.data)?),
        "read" => EventChange::Receipt(receipt(ReceiptStatus::Read, &actor, &row.data)?),
        // Written by a newer version, for which the data has a shape of its own.
        _ => EventChange::Unknown,
    };
    Ok(SessionEvent { session_id: session.id, seq, at, actor, key: None, change, people: KnownPeople::default() })
}

fn session_then(session: &ChatSession, seq: Seq, at: Timestamp, json: &str) -> Result<ChatSession, Corrupt> {
    let data: SessionData = parse(json)?;
    let agent = data.agent.map(|agent| valid(DATA, AgentId::parse(&agent))).transpose()?;
    let state = match data.ended_at {
        None => SessionState::Active { agent },
        Some(at) => SessionState::Closed { agent, at: Timestamp::from_unix_ms(at) },
    };
    let progress = Progress {
        last_seq: seq,
        last_event_at: at,
        message_count: data.message_count,
        waiting_since: data.waiting_since.map(Timestamp::from_unix_ms),
        unread_by_user: data.unread_by_user,
        unread_by_support: data.unread_by_support,
        user_delivered_seq: Seq::new(data.user_delivered_seq),
        support_delivered_seq: Seq::new(data.support_delivered_seq),
        user_read_seq: Seq::new(data.user_read_seq),
        support_read_seq: Seq::new(data.support_read_seq),
    };
    let (details, opened_with) = match (data.details, &session.opened_with) {
        (Some(details), opened_with) => (details.read(DATA)?, opened_with.clone()),
        (None, Some(opening)) if seq < opening.until => (opening.details.clone(), None),
        // Of a session that was never changed so, or of an older version, which beside this one does not write the details.
        (None, opened_with) => (session.details(), opened_with.clone()),
    };
    let SessionDetails { subject, priority, tags } = details;
    let latest = LatestActivity::default();
    Ok(ChatSession { state, progress, subject, priority, tags, opened_with, latest, ..session.clone() })
}

fn receipt(status: ReceiptStatus, reader: &UserId, json: &str) -> Result<Receipt, Corrupt> {
    let data: ReceiptData = parse(json)?;
    let messages: Option<Vec<MessageId>> = data.messages.iter().map(|id| MessageId::parse(id)).collect();
    let messages = messages.ok_or(Corrupt { column: DATA, problem: "names a message by something that is no id" })?;
    Ok(Receipt { reader: reader.clone(), status, up_to: Seq::new(data.up_to), messages })
}

fn parse<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, Corrupt> {
    serde_json::from_str(json).map_err(|_| Corrupt { column: DATA, problem: "is not the JSON of its kind" })
}

#[cfg(test)]
mod tests {
    use chat_domain::model::{DetailsUpdate, Party, Subject};
    use chat_testkit::fixtures::{alice, at, new_session};

    use super::*;

    fn record(kind: &str, data: &str) -> EventRecord {
        let actor = alice().id.as_str().to_owned();
        EventRecord { seq: 9, kind: kind.to_owned(), actor, at: at(1).unix_ms(), data: data.to_owned() }
    }

    #[test]
    fn an_event_is_read_back_as_it_was_written() {
        let mut session = ChatSession::open(new_session(1));
        for seconds in 0..3 {
            session = session.record_message(Party::User, at(seconds)).unwrap().0;
        }
        let session = session.record_read_up_to(Party::Support, 2, Seq::new(3), at(3)).record_delivery(
            Party::User,
            Seq::new(1),
            at(3),
        );
        let session = session.close(at(4)).unwrap();
        let written = SessionEvent {
            session_id: session.id,
            seq: session.progress.last_seq,
            at: at(4),
            actor: alice().id,
            key: None,
            change: EventChange::Closed(session.clone().in_event()),
            people: KnownPeople::default(),
        };
        let (kind, data) = encode_event(&written).unwrap().unwrap();
        let row = EventRecord { seq: to_i64(written.seq), at: at(4).unix_ms(), ..record(kind, &data) };
        assert_eq!(decode_event(&row, &session).unwrap(), written);
        assert_ne!(session.read_watermark(Party::Support), Seq::ZERO, "the test has every mark");
    }

    #[test]
    fn an_event_of_a_newer_version_takes_its_position_whatever_it_holds() {
        let session = ChatSession::open(new_session(1));
        for data in ["", "[1]", r#"{"upTo":3}"#, "no JSON"] {
            let event = decode_event(&record("future_kind", data), &session).unwrap();
            assert_eq!((event.seq, event.at, event.actor), (Seq::new(9), at(1), alice().id));
            assert_eq!(event.change, EventChange::Unknown);
        }
        let data = r#"{"messageCount":2,"unreadByUser":1,"unreadBySupport":0,"userDeliveredSeq":3,"supportDeliveredSeq":4,"mood":"new"}"#;
        let event = decode_event(&record("assigned", data), &session).unwrap();
        assert!(matches!(event.change, EventChange::Assigned(_)), "{event:?}");
    }

    #[test]
    fn an_unknown_event_is_not_written() {
        let event =
            SessionEvent { change: EventChange::Unknown, ..decode_event(&record("read", READ), &session()).unwrap() };
        assert!(encode_event(&event).is_err());
    }

    const READ: &str = r#"{"upTo":1,"messages":[]}"#;

    fn session() -> ChatSession {
        ChatSession::open(new_session(1))
    }

    fn to_i64(seq: Seq) -> i64 {
        crate::values::to_db(seq.get())
    }

    #[test]
    fn an_event_of_an_earlier_version_shows_the_marks_that_it_knew() {
        let data = r#"{"agent":"bob","messageCount":2,"waitingSince":5,"unreadByUser":1,"unreadBySupport":0,"userDeliveredSeq":3,"supportDeliveredSeq":4}"#;
        // The session has moved on since, and its marks with it.
        let now = ChatSession::open(new_session(1)).advance_read_watermark(Party::User, Seq::new(40));
        let event = decode_event(&record("assigned", data), &now).unwrap();
        let EventChange::Assigned(then) = event.change else { panic!("an assignment, not {:?}", event.change) };
        let progress = Progress {
            last_seq: Seq::new(9),
            last_event_at: at(1),
            message_count: 2,
            waiting_since: Some(Timestamp::from_unix_ms(5)),
            unread_by_user: 1,
            unread_by_support: 0,
            user_delivered_seq: Seq::new(3),
            support_delivered_seq: Seq::new(4),
            user_read_seq: Seq::ZERO,
            support_read_seq: Seq::ZERO,
        };
        assert_eq!(then.progress, progress);
    }

    #[test]
    fn an_event_has_the_details_of_its_time_whichever_version_wrote_it() {
        let details =
            |subject| DetailsUpdate { subject: Some(Subject::parse(subject).unwrap()), ..DetailsUpdate::default() };
        let opened = ChatSession::open(new_session(1));
        let first = opened.clone().update(&details("first"), at(2)).unwrap();
        let second = first.clone().update(&details("second"), at(3)).unwrap();
        let shown = |seq: u64, data: &str| {
            let row = EventRecord { seq: to_i64(Seq::new(seq)), ..record("assigned", data) };
            let EventChange::Assigned(then) = decode_event(&row, &second).unwrap().change else {
                panic!("an assignment")
            };
            then.subject.unwrap().to_string()
        };
        let plain = session_data(&opened).unwrap();
        assert!(!plain.contains("details"), "{plain}");
        assert_eq!(shown(1, &plain), "Question 1");
        assert_eq!(shown(2, &session_data(&first).unwrap()), "first");
        assert_eq!(shown(3, &session_data(&second).unwrap()), "second");
        // Of a node of the version before, which ran beside this one: as near as the row knows.
        assert_eq!(shown(3, &plain), "second");
    }
}
