//! The newest message of a session, as text in `chat_sessions.last_message`.
//!
//! One line of words, `number seq id sender at files author`, and then the preview, which is the rest. The author comes last
//! among the words because a person's id may have spaces; it has no control characters, so the line ends where it does.
//! It is not JSON, which looks at every character to see whether it needs an escape: this is written with each message.

use std::fmt::Write;
use std::sync::Arc;

use chat_domain::model::{ChatSession, LastMessage, MessageId, Party, Preview, Seq, SessionState, Timestamp, UserId};

/// The column `chat_sessions.last_message` of a session.
pub fn last_message_to_text(session: &ChatSession) -> Option<String> {
    let message = session.latest.message.as_deref()?;
    let LastMessage { number, id, seq, sender, author, preview, at, attachment_count } = message;
    let (author, preview) = (author.as_str(), preview.as_str());
    let mut text = String::with_capacity(ROOM + author.len() + preview.len());
    let (seq, sender, at) = (seq.get(), sender.as_str(), at.unix_ms());
    // A string takes whatever is written.
    write!(text, "{number} {seq} {id} {sender} {at} {attachment_count} {author}\n{preview}").ok()?;
    Some(text)
}

/// Enough for the words before the author in nearly all sessions.
const ROOM: usize = 80;

/// The message of the column. A text that cannot be read is none: then the newest message is looked up.
pub(crate) fn last_message_from_text(text: Option<&str>) -> Option<Arc<LastMessage>> {
    let (line, preview) = text?.split_once('\n')?;
    let mut words = line.splitn(7, ' ');
    Some(Arc::new(LastMessage {
        number: words.next()?.parse().ok()?,
        seq: Seq::new(words.next()?.parse().ok()?),
        id: MessageId::parse(words.next()?)?,
        sender: Party::from_store(words.next()?),
        at: Timestamp::from_unix_ms(words.next()?.parse().ok()?),
        attachment_count: words.next()?.parse().ok()?,
        author: UserId::parse(words.next()?).ok()?,
        preview: Preview::from_store(preview),
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
    use chat_testkit::fixtures::{at, message_id, new_session};

    use super::*;

    #[test]
    fn a_last_message_is_read_back_as_it_was_written() {
        for (author, preview) in [
            ("alice", "line \"two\" \u{1f469}\u{200d}\u{1f680}"),
            ("Anna Maria \u{141}", ""),
            (" Anna", "a\u{2028}b"),
            ("Anna ", "\nx\n y "),
            ("a  b", " "),
            ("a\u{2028}b", "\\n"),
            ("\u{2003}x", "\r\n"),
        ] {
            let message = LastMessage {
                number: 3,
                id: message_id(7),
                seq: Seq::new(9),
                sender: Party::Support,
                author: UserId::parse(author).unwrap(),
                preview: Preview::from_store(preview),
                at: at(4),
                attachment_count: 2,
            };
            let session = ChatSession::open(new_session(1)).with_last_message(message.clone());
            let text = last_message_to_text(&session).unwrap();
            assert_eq!(last_message_from_text(Some(&text)).as_deref(), Some(&message), "{text}");
        }
        assert_eq!(last_message_to_text(&ChatSession::open(new_session(1))), None);
    }

    #[test]
    fn a_stored_text_that_is_no_last_message_is_looked_up() {
        let id = message_id(7);
        let line = |number: &str, id: &str, author: &str| format!("{number} 9 {id} user 4 0 {author}");
        let of_a_text = format!("{}\nHello", line("3", &id.to_string(), "alice"));
        assert!(last_message_from_text(Some(&of_a_text)).is_some());
        for text in [
            "",
            "\n",
            "3 9\nHello",
            // As the version before has written it.
            &format!(
                r#"{{"number":3,"seq":9,"id":"{id}","sender":"user","author":"alice","at":4,"preview":"a\nb","files":0}}"#
            ),
            &line("3", &id.to_string(), "alice"),
            &format!("{}\nHello", line("-3", &id.to_string(), "alice")),
            &format!("{}\nHello", line("3", "?", "alice")),
            &format!("{}\nHello", line("3", &id.to_string(), "")),
        ] {
            assert_eq!(last_message_from_text(Some(text)), None, "{text}");
        }
        assert_eq!(last_message_from_text(None), None);
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
