//! What watchers hear: how heavy it is, how it is encoded once, and which part of all sessions it belongs to.

use std::cell::Cell;

use bytes::Bytes;
use chat_domain::model::{
    Change, ChatSession, Content, Epoch, Form, LiveEvent, MessageDraft, MessageId, Published, Receipt, ReceiptStatus,
    Seq, SessionEvent, SessionId, TicketDigest, TypingEvent,
};
use chat_domain::ports::Missed;
use chat_testkit::fixtures::{alice, at, attachment, draft, message_id, new_session, session_id};
use proptest::prelude::*;
use uuid::Uuid;

fn durable(change: Change) -> LiveEvent {
    let (session_id, actor) = (session_id(1), alice().id);
    LiveEvent::Durable(SessionEvent { session_id, seq: Seq::new(2), at: at(1), actor, key: None, change })
}

fn message(text: &str, files: u64) -> LiveEvent {
    let attachments = (0..files).map(|n| attachment(n, b"bytes")).collect();
    let content = Content::parse(text.to_owned(), true).unwrap();
    let draft = MessageDraft { content, attachments, ..draft(session_id(1), &alice(), 1) };
    durable(Change::Message(draft.decide(ChatSession::open(new_session(1))).unwrap().message))
}

fn receipt(messages: Vec<MessageId>) -> LiveEvent {
    let receipt = Receipt { reader: alice().id, status: ReceiptStatus::Read, up_to: Seq::new(9), messages };
    durable(Change::Receipt(receipt))
}

fn typing() -> LiveEvent {
    LiveEvent::Typing(TypingEvent {
        session_id: session_id(1),
        user_id: alice().id,
        is_typing: true,
        at: at(1),
        by_node: false,
    })
}

#[test]
fn an_event_weighs_more_the_more_it_tells() {
    let light = typing().weight();
    assert!((1..1_024).contains(&light), "{light}");
    let text = |length| message(&"x".repeat(length), 0).weight();
    assert_eq!(text(10_000) - text(1), 9_999);
    // Bytes and not characters are what is kept and written.
    assert_eq!(message("ää", 0).weight() - message("aa", 0).weight(), 2);
    let files = |files| message("x", files).weight();
    assert!(files(1) > files(0) + 100 && files(3) - files(2) == files(1) - files(0));
    let names = |count: u64| receipt((0..count).map(message_id).collect()).weight();
    // A name is written as 36 characters between quotes, with a comma.
    assert!(names(1_000) >= names(0) + 39_000);
    assert!(durable(Change::Opened(ChatSession::open(new_session(1)))).weight() > light);
}

#[test]
fn each_form_of_an_event_is_encoded_once() {
    let published = Published::new(typing());
    let encoded = Cell::new(0);
    let encode = |text: &'static str| {
        published.encoded(if text == "plain" { Form::Plain } else { Form::Positioned }, |event| {
            assert_eq!(event, published.event());
            encoded.set(encoded.get() + 1);
            Bytes::from_static(text.as_bytes())
        })
    };
    for _ in 0..3 {
        assert_eq!(encode("plain"), "plain");
        assert_eq!(encode("positioned"), "positioned");
    }
    assert_eq!(encoded.get(), 2);
}

#[test]
fn the_part_of_a_session_is_the_remainder_of_its_last_eight_bytes() {
    let id = |number: u128| SessionId::new(Uuid::from_u128(number));
    // What every version and every node must agree on.
    assert_eq!(id(0x0192_0000_0000_7000_8000_0000_0000_0041).shard(64), 1);
    assert_eq!(id(0x0192_0000_0000_7000_8000_0000_0000_003f).shard(64), 63);
    assert_eq!(id(0xffff_ffff_ffff_ffff_0000_0000_0000_0100).shard(100), 56);
    assert_eq!(id(u128::MAX).shard(u16::MAX), 0, "2^64 - 1 is a multiple of 2^16 - 1");
    assert_eq!((id(77).shard(1), id(77).shard(0)), (0, 0));
}

proptest! {
    #[test]
    fn a_part_is_below_their_number_and_is_concerned_alone(number: u128, of in 1..=u16::MAX, index: u16) {
        let session = SessionId::new(Uuid::from_u128(number));
        prop_assert!(session.shard(of) < of);
        prop_assert_eq!(Missed::Shard { index, of }.concerns(session), session.shard(of) == index);
        prop_assert!(Missed::Everywhere.concerns(session));
    }
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
