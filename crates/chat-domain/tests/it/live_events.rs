//! Events: their size in a page of the log, and the value that their streams share.

use std::cell::Cell;
use std::sync::Arc;

use chat_domain::model::{
    ChatSession, Content, DetailsUpdate, Epoch, EventChange, KnownPeople, LiveEvent, MessageDraft, MessageId,
    NewSession, Person, Principal, Receipt, ReceiptStatus, Seq, SessionEvent, Subject, Tags, TicketDigest, TypingEvent,
};
use chat_domain::ports::{LogLimit, SharedEvent};
use chat_domain::write::{Facts, SessionWrite, WriteBatch};
use chat_testkit::fixtures::{alice, at, attachment, draft, message_id, named, new_session, session_id};

fn durable(change: EventChange) -> SessionEvent {
    let (session_id, actor) = (session_id(1), alice().id);
    SessionEvent { session_id, seq: Seq::new(2), at: at(1), actor, key: None, change, people: KnownPeople::default() }
}

fn message(text: &str, files: u64) -> SessionEvent {
    let attachments: Vec<_> = (0..files).map(|n| attachment(n, b"bytes")).collect();
    let content = Content::parse(text.to_owned(), true).unwrap();
    let draft = MessageDraft { content, attachments: attachments.into(), ..draft(session_id(1), &alice(), 1) };
    let mut facts = Facts::default();
    facts.add_session(ChatSession::open(new_session(1)));
    let decided = WriteBatch::new(facts).decide(&SessionWrite::AppendMessage(draft));
    durable(EventChange::Message(decided.unwrap().appended().unwrap().message))
}

fn receipt(messages: Vec<MessageId>) -> SessionEvent {
    let receipt = Receipt { reader: alice().id, status: ReceiptStatus::Read, up_to: Seq::new(9), messages };
    durable(EventChange::Receipt(receipt))
}

fn typing() -> LiveEvent {
    LiveEvent::Typing(TypingEvent { session_id: session_id(1), user_id: alice().id, is_typing: true, at: at(1) })
}

#[test]
fn the_bytes_of_an_event_grow_with_its_content() {
    let bytes = |event: SessionEvent| LogLimit::bytes_of(&event);
    let least = bytes(durable(EventChange::Unknown));
    assert!((1..1_024).contains(&least), "{least}");
    let text = |length| bytes(message(&"x".repeat(length), 0));
    assert_eq!(text(10_000) - text(1), 9_999);
    // Bytes and not characters are what is kept and written.
    assert_eq!(bytes(message("ää", 0)) - bytes(message("aa", 0)), 2);
    let files = |files| bytes(message("x", files));
    assert!(files(1) > files(0) + 100 && files(3) - files(2) == files(1) - files(0));
    let names = |count: u64| bytes(receipt((0..count).map(message_id).collect()));
    // An id is written as 36 characters between quotes, with a comma.
    assert!(names(1_000) >= names(0) + 39_000);
    assert!(bytes(durable(EventChange::Opened(ChatSession::open(new_session(1))))) > least);
    // Names and pictures are written with each event that shows them.
    let shown = |name: &str| {
        let Principal { id, name, avatar_url, .. } = named(alice(), name);
        let people = KnownPeople::new([Arc::new(Person { id, name, avatar_url })]);
        bytes(SessionEvent { people, ..message("x", 0) })
    };
    assert!(shown("A") > bytes(message("x", 0)) + 30);
    assert_eq!(shown(&"n".repeat(100)) - shown("n"), 99);
    // What a session was opened with is kept and written beside what it is about now.
    let subject = Subject::parse(&"y".repeat(200)).unwrap();
    let tags = Tags::parse((0..20).map(|n| format!("{n:050}"))).unwrap();
    let opened = ChatSession::open(NewSession { subject, tags, ..new_session(1) });
    let clearing = DetailsUpdate { subject: Some(None), tags: Some(Tags::default()), priority: None };
    let cleared = opened.clone().update(&clearing, at(1)).unwrap();
    assert_eq!(bytes(durable(EventChange::Updated(cleared))), bytes(durable(EventChange::Opened(opened))));
}

#[test]
fn the_derived_value_of_an_event_is_made_once() {
    let (shared, made) = (SharedEvent::new(typing()), Cell::new(0));
    let derive = || {
        shared.derived(|| {
            made.set(made.get() + 1);
            "derived".to_owned()
        })
    };
    assert_eq!(shared.event(), &typing());
    for _ in 0..3 {
        assert_eq!(derive().map(String::as_str), Some("derived"));
    }
    assert_eq!((made.get(), shared.derived(|| 7_u8)), (1, None), "a value of another type is not kept");
}

#[test]
fn an_epoch_has_1_to_64_letters_digits_or_hyphens() {
    for good in ["0", "in-memory", &"f".repeat(64)] {
        assert_eq!(Epoch::parse(good).unwrap().to_string(), good);
    }
    for bad in ["", " ", "a b", "a_b", "ä", "a\n", &"f".repeat(65)] {
        assert!(Epoch::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_ticket_is_known_by_the_hash_of_its_text() {
    // NIST FIPS 180-2, appendix B.1: SHA-256 of "abc".
    let first_half = 0xba78_16bf_8f01_cfea_4141_40de_5dae_2223_u128;
    assert_eq!(TicketDigest::of("abc").as_bytes()[..16], first_half.to_be_bytes());
    assert_ne!(TicketDigest::of("abc"), TicketDigest::of("abd"));
}
