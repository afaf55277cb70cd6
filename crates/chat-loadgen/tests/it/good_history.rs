//! A small history with everything in it, by hand, and the parts to make others.

use chat_loadgen::history::{
    Attempt, AttemptOutcome, FinalState, History, OtherEvents, ReadEvent, ReaderLog, ReaderStart, StoredMessage,
};

pub(crate) fn acknowledged(writer: &str, number: u64, times: (u64, u64)) -> Attempt {
    attempt(writer, number, times, AttemptOutcome::Acknowledged { id: format!("{writer}{number}"), seq: None })
}

pub(crate) fn attempt(writer: &str, number: u64, times: (u64, u64), outcome: AttemptOutcome) -> Attempt {
    Attempt {
        session: "s".to_owned(),
        writer: writer.to_owned(),
        key: format!("key-{writer}{number}"),
        content: format!("content-{writer}{number}"),
        began_us: times.0,
        ended_us: times.1,
        outcome,
    }
}

/// The message that `attempt` with this writer and number stores.
pub(crate) fn stored(name: &str, seq: u64) -> StoredMessage {
    StoredMessage { id: name.to_owned(), content: format!("content-{name}"), seq: Some(seq) }
}

pub(crate) fn log(reader: &str, start: ReaderStart, ids: &[(u64, &str)], complete: bool) -> ReaderLog {
    let event = |(seq, id): &(u64, &str)| ReadEvent {
        seq: Some(*seq),
        message: Some((*id).to_owned()),
        ..ReadEvent::default()
    };
    ReaderLog {
        reader: reader.to_owned(),
        session: "s".to_owned(),
        start,
        complete,
        events: ids.iter().map(event).collect(),
    }
}

/// Two writers and three readers of one session. The order is a1, b1, a2, b2, a3: a2 was retried after an unknown
/// outcome; b2 never got a response but is stored; b3 never got one and is not; a4 was refused.
pub(crate) fn good() -> History {
    let opened = ReadEvent { seq: Some(1), message: None, ..ReadEvent::default() };
    let mut from_the_start =
        log("r1", ReaderStart::Beginning, &[(2, "a1"), (3, "b1"), (4, "a2"), (5, "b2"), (6, "a3")], true);
    from_the_start.events.insert(0, opened);
    History {
        attempts: vec![
            acknowledged("a", 1, (0, 10)),
            acknowledged("b", 1, (5, 25)),
            attempt("a", 2, (20, 30), AttemptOutcome::Unknown),
            acknowledged("a", 2, (35, 40)),
            // The same again, as a client may.
            acknowledged("a", 2, (41, 42)),
            attempt("b", 2, (30, 90), AttemptOutcome::Unknown),
            acknowledged("a", 3, (50, 60)),
            attempt("b", 3, (91, 99), AttemptOutcome::Unknown),
            attempt("a", 4, (70, 80), AttemptOutcome::Refused { status: 409 }),
        ],
        readers: vec![
            from_the_start,
            log("r2", ReaderStart::Anywhere, &[(3, "b1"), (4, "a2")], false),
            log("r2", ReaderStart::Resumed, &[(5, "b2"), (6, "a3")], true),
            log("r3", ReaderStart::Anywhere, &[(4, "a2"), (5, "b2")], false),
        ],
        finals: vec![FinalState {
            session: "s".to_owned(),
            messages: vec![stored("a1", 2), stored("b1", 3), stored("a2", 4), stored("b2", 5), stored("a3", 6)],
            total_count: 5,
            last_seq: Some(6),
            other_events: OtherEvents::Exactly(1),
        }],
        ..History::default()
    }
}
