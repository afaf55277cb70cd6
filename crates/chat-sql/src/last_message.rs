//! The newest message of a session, as JSON in `chat_sessions.last_message`.

use std::borrow::Cow;
use std::sync::Arc;

use chat_domain::model::{ChatSession, LastMessage, MessageId, Party, Preview, Seq, SessionState, Timestamp, UserId};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct LastMessageData<'a> {
    number: u64,
    seq: u64,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    sender: Cow<'a, str>,
    #[serde(borrow)]
    author: Cow<'a, str>,
    at: i64,
    #[serde(borrow)]
    preview: Cow<'a, str>,
    files: u64,
}

/// The column `chat_sessions.last_message` of a session.
pub fn last_message_to_json(session: &ChatSession) -> Option<String> {
    let message = session.latest.message.as_deref()?;
    let data = LastMessageData {
        number: message.number,
        seq: message.seq.get(),
        id: message.id.to_string().into(),
        sender: message.sender.as_str().into(),
        author: message.author.as_str().into(),
        at: message.at.unix_ms(),
        preview: message.preview.as_str().into(),
        files: message.attachment_count,
    };
    // Texts and numbers: that cannot fail.
    serde_json::to_string(&data).ok()
}

/// The message of the column. One that cannot be read is none: then the newest message is looked up.
pub(crate) fn last_message_from_json(json: Option<&str>) -> Option<Arc<LastMessage>> {
    let data: LastMessageData<'_> = serde_json::from_str(json?).ok()?;
    Some(Arc::new(LastMessage {
        number: data.number,
        id: MessageId::parse(&data.id)?,
        seq: Seq::new(data.seq),
        sender: Party::from_store(&data.sender),
        author: UserId::parse(&data.author).ok()?,
        preview: Preview::from_store(&data.preview),
        at: Timestamp::from_unix_ms(data.at),
        attachment_count: data.files,
    }))
}

/// When something last happened in a session, from its column. One of before the column, or that an older version has
/// opened, shows its end or its start.
pub(crate) fn activity_from_db(stored: Option<i64>, started_at: i64, state: &SessionState) -> Timestamp {
    let known = stored.map(Timestamp::from_unix_ms);
    known.unwrap_or_else(|| match state {
        SessionState::Closed { at, .. } => *at,
        SessionState::Active { .. } => Timestamp::from_unix_ms(started_at),
    })
}

#[cfg(test)]
mod tests {
    use chat_testkit::fixtures::{alice, at, message_id, new_session};

    use super::*;

    #[test]
    fn a_last_message_is_read_back_as_it_was_written() {
        let message = LastMessage {
            number: 3,
            id: message_id(7),
            seq: Seq::new(9),
            sender: Party::Support,
            author: alice().id,
            preview: Preview::of("line\n\"two\" \u{1f469}\u{200d}\u{1f680}"),
            at: at(4),
            attachment_count: 2,
        };
        let session = ChatSession::open(new_session(1)).with_last_message(message.clone());
        let json = last_message_to_json(&session).unwrap();
        assert_eq!(last_message_from_json(Some(&json)).as_deref(), Some(&message));
        assert_eq!(last_message_to_json(&ChatSession::open(new_session(1))), None);
    }

    #[test]
    fn a_stored_text_that_is_no_last_message_is_looked_up() {
        for json in [
            "",
            "{}",
            "[1]",
            r#"{"number":1,"seq":1,"id":"?","sender":"user","author":"a","at":1,"preview":"","files":0}"#,
        ] {
            assert_eq!(last_message_from_json(Some(json)), None, "{json}");
        }
        assert_eq!(last_message_from_json(None), None);
    }

    #[test]
    fn an_activity_that_is_not_stored_is_the_end_or_the_start() {
        let active = SessionState::Active { agent: None };
        let closed = SessionState::Closed { agent: None, at: Timestamp::from_unix_ms(9) };
        let at = Timestamp::from_unix_ms;
        assert_eq!(activity_from_db(None, 5, &active), at(5));
        assert_eq!(activity_from_db(None, 5, &closed), at(9));
        assert_eq!(activity_from_db(Some(7), 5, &closed), at(7));
    }
}
