//! Round trips of every kind of event, and what is made of messages of other versions.

use std::sync::Arc;

use chat_domain::model::{
    AgentId, Attachment, AttachmentId, AvatarUrl, ChatMessage, ChatSession, Color, Content, Delivery, EventChange,
    FileName, IdempotencyKey, KnownPeople, LatestActivity, MediaMetadata, MediaType, MessageId, OpeningDetails, Party,
    Person, PersonName, Priority, Progress, Receipt, ReceiptStatus, SessionDetails, SessionEvent, SessionState,
    StoredObject, Subject, Tags, Timestamp, UserId,
};
use chat_realtime::PeerTyping;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

const NODE: Uuid = Uuid::from_u128(7);

fn head() -> EnvelopeHead<'static> {
    EnvelopeHead { node: NODE, database: "1-2", epoch: "e", at: Timestamp::from_unix_ms(9) }
}

/// A message of the sender.
fn envelope(counter: u64, body: EnvelopeBody) -> Envelope<'static> {
    let EnvelopeHead { node, database, epoch, at } = head();
    Envelope { node, counter, database: database.into(), epoch: epoch.into(), at, body }
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix_ms)
}

fn user() -> impl Strategy<Value = UserId> {
    "[a-zé\"\\\\| 😀]{1,20}".prop_filter_map("not blank", |text| UserId::parse(&text).ok())
}

fn seq() -> impl Strategy<Value = Seq> {
    any::<u64>().prop_map(Seq::new)
}

fn details() -> impl Strategy<Value = SessionDetails> {
    let subject = "[ -~é😀]{1,30}".prop_filter_map("blank", |text| Subject::parse(&text).ok().flatten());
    let tags = vec("[a-zé\"]{1,8}", 0..4).prop_filter_map("tags", |tags| Tags::parse(&tags).ok());
    (option::of(subject), prop::sample::select(Priority::ALL.to_vec()), tags)
        .prop_map(|(subject, priority, tags)| SessionDetails { subject, priority, tags })
}

/// A session right after a change that was made `at`. On the heap: as a value, a strategy of so many parts takes more of
/// the stack than a test's thread has.
fn session(id: SessionId, at: Timestamp) -> BoxedStrategy<ChatSession> {
    let state = (option::of(user()), option::of(time())).prop_map(|(agent, ended)| {
        let agent = agent.map(|agent| AgentId::from(&agent));
        match ended {
            Some(at) => SessionState::Closed { agent, at },
            None => SessionState::Active { agent },
        }
    });
    let progress = (vec(any::<u64>(), 8), option::of(time())).prop_map(move |(n, waiting_since)| Progress {
        last_event_at: at,
        last_seq: Seq::new(n[0]),
        message_count: n[1],
        waiting_since,
        unread_by_user: n[2],
        unread_by_support: n[3],
        user_delivered_seq: Seq::new(n[4]),
        support_delivered_seq: Seq::new(n[5]),
        user_read_seq: Seq::new(n[6]),
        support_read_seq: Seq::new(n[7]),
    });
    let opening = (details(), seq()).prop_map(|(details, until)| Box::new(OpeningDetails { details, until }));
    let parts = (user(), details(), option::of(opening), time(), state, progress);
    let session = parts.prop_map(move |(owner, details, opened_with, started_at, state, progress)| {
        let SessionDetails { subject, priority, tags } = details;
        let latest = LatestActivity::default();
        ChatSession { id, owner, subject, priority, tags, started_at, state, opened_with, progress, latest }
    });
    session.boxed()
}

fn attachment() -> impl Strategy<Value = Attachment> {
    let metadata = (option::of(any::<u32>()), option::of(any::<u32>()), option::of(0.0..1e9_f64))
        .prop_map(|(width, height, duration)| MediaMetadata { width, height, duration });
    let object = (any::<u64>(), any::<[u8; 32]>(), prop::sample::select(vec!["image/png", "audio/mpeg"]), metadata)
        .prop_map(|(size, sha256, media_type, metadata)| StoredObject {
            size,
            sha256,
            media_type: MediaType::parse(media_type).unwrap(),
            metadata,
        });
    let color = option::of((0..=0xff_ffff_u32).prop_map(|number| Color::from_number(number).unwrap()));
    (uuid(), "\\PC{0,20}", object, color).prop_map(|(id, name, object, dominant_color)| Attachment {
        id: AttachmentId::new(id),
        name: FileName::sanitize(&name),
        object,
        dominant_color,
    })
}

fn message(session_id: SessionId, seq: Seq) -> BoxedStrategy<ChatMessage> {
    let delivery = (option::of(time()), option::of(time()))
        .prop_map(|(delivered_at, read_at)| Delivery::from_moments(delivered_at, read_at));
    let content = any::<String>().prop_map(Content::from_store);
    let parts = (uuid(), user(), any::<bool>(), content, time(), delivery, vec(attachment(), 0..3));
    let message = parts.prop_map(move |(id, author, by_user, content, sent_at, delivery, attachments)| ChatMessage {
        id: MessageId::new(id),
        session_id,
        seq,
        author,
        sender: if by_user { Party::User } else { Party::Support },
        content,
        sent_at,
        delivery,
        attachments,
    });
    message.boxed()
}

fn receipt() -> impl Strategy<Value = Receipt> {
    (user(), any::<bool>(), seq(), vec(uuid(), 0..5)).prop_map(|(reader, read, up_to, messages)| Receipt {
        reader,
        status: if read { ReceiptStatus::Read } else { ReceiptStatus::Delivered },
        up_to,
        messages: messages.into_iter().map(MessageId::new).collect(),
    })
}

fn people() -> impl Strategy<Value = KnownPeople> {
    let name = "[ -~é😀]{1,30}".prop_map(|text| PersonName::parse(&text).ok());
    let url =
        option::of("[a-z0-9/%?&=.~]{0,20}".prop_map(|rest| AvatarUrl::parse(&format!("HTTPS://a{rest}")).unwrap()));
    let person = (user(), name, url).prop_map(|(id, name, avatar_url)| Arc::new(Person { id, name, avatar_url }));
    vec(person, 0..3).prop_map(KnownPeople::new)
}

fn durable() -> impl Strategy<Value = PeerEvent> {
    let key = option::of("[!-~]{1,20}".prop_map(|text| IdempotencyKey::parse(&text).unwrap()));
    (uuid().prop_map(SessionId::new), seq(), time(), user(), key).prop_flat_map(|(session_id, seq, at, actor, key)| {
        let session = session(session_id, at);
        let change = prop_oneof![
            session.clone().prop_map(EventChange::Opened),
            session.clone().prop_map(EventChange::Assigned),
            session.clone().prop_map(EventChange::Transferred),
            session.clone().prop_map(EventChange::Updated),
            session.prop_map(EventChange::Closed),
            message(session_id, seq).prop_map(EventChange::Message),
            receipt().prop_map(EventChange::Receipt),
            Just(EventChange::Unknown),
        ];
        (change, people()).prop_map(move |(change, people)| {
            let (actor, key) = (actor.clone(), key.clone());
            PeerEvent::Durable(SessionEvent { session_id, seq, at, actor, key, change, people })
        })
    })
}

fn typing() -> impl Strategy<Value = PeerEvent> {
    (uuid(), user(), any::<bool>(), time(), any::<bool>()).prop_map(|(session, user_id, is_typing, at, by_node)| {
        PeerEvent::Typing(PeerTyping { session_id: SessionId::new(session), user_id, is_typing, at, by_node })
    })
}

proptest! {
    #[test]
    fn every_event_comes_back_as_it_was(event in prop_oneof![4 => durable(), 1 => typing()], counter in any::<u64>()) {
        let bytes = super::event(head(), counter, &event);
        prop_assert!(bytes.starts_with(&own_prefix(NODE)));
        prop_assert_eq!(read(&bytes), Some(envelope(counter, EnvelopeBody::Event(event))));
    }

    #[test]
    fn random_bytes_do_not_panic_the_reader(bytes in vec(any::<u8>(), 0..200)) {
        let _none_of_ours = read(&bytes);
    }

    /// A message that was cut, or changed in one place, is read as something or as nothing.
    #[test]
    fn a_damaged_message_does_not_panic_the_reader(event in durable(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = super::event(head(), 1, &event);
        let at = at.index(bytes.len());
        let _cut = read(&bytes[..at]);
        bytes[at] = byte;
        let _changed = read(&bytes);
    }
}

#[test]
fn heartbeats_and_goodbyes_come_back_as_they_were() {
    let counters = vec![1, u64::MAX, 0];
    assert_eq!(read(&heartbeat(head(), 4, &counters)), Some(envelope(4, EnvelopeBody::Heartbeat(counters.clone()))));
    assert_eq!(read(&goodbye(head(), 5, &counters)), Some(envelope(5, EnvelopeBody::Goodbye(counters))));
}

#[test]
fn the_wire_format_stays_the_same() {
    let event = PeerEvent::Typing(PeerTyping {
        session_id: SessionId::new(Uuid::from_u128(1)),
        user_id: UserId::parse("alice").unwrap(),
        is_typing: true,
        at: Timestamp::from_unix_ms(5),
        by_node: false,
    });
    assert_eq!(
        String::from_utf8(super::event(head(), 3, &event)).unwrap(),
        r#"{"v":1,"node":"00000000-0000-0000-0000-000000000007","counter":3,"database":"1-2","epoch":"e","at":9,"session":"00000000-0000-0000-0000-000000000001","kind":"typing","payload":{"at":5,"user":"alice","isTyping":true}}"#
    );
}

fn read_text(text: &str) -> Option<EnvelopeBody> {
    read(text.as_bytes()).map(|envelope| envelope.body)
}

#[test]
fn messages_of_a_newer_version_are_read_or_unreadable() {
    let node = "00000000-0000-0000-0000-000000000007";
    let session = "00000000-0000-0000-0000-000000000001";
    let head = r#""counter":3,"database":"1-2","epoch":"e","at":9"#;
    let with = |rest: &str| read_text(&format!(r#"{{"v":2,"node":"{node}",{head},{rest}}}"#));
    // A field that is new.
    let known = r#""kind":"typing","payload":{"at":5,"user":"alice","isTyping":true,"mood":"good"},"extra":[1]"#;
    let said = with(&format!(r#""session":"{session}",{known}"#));
    assert!(matches!(said, Some(EnvelopeBody::Event(_))), "{said:?}");
    // A payload of another form, or none.
    for rest in [
        r#""kind":"danced","seq":4,"payload":[]"#,
        r#""kind":"message","seq":4,"payload":{"blob":"x"}"#,
        r#""kind":"message""#,
        r#""kind":"typing","payload":{}"#,
    ] {
        let said = with(&format!(r#""session":"{session}",{rest}"#));
        assert_eq!(said, Some(EnvelopeBody::Unreadable), "{rest}");
    }
    assert_eq!(with(r#""kind":"heartbeat""#), Some(EnvelopeBody::Unreadable));
    assert_eq!(read_text(&format!(r#"{{"v":1,"node":"not-a-uuid",{head},"kind":"heartbeat","counters":[]}}"#)), None);
    assert_eq!(read_text(&format!(r#"{{"v":1,"node":"{node}","kind":"heartbeat","counters":[]}}"#)), None);
}

#[test]
fn an_unknown_kind_without_seq_is_ephemeral() {
    let head = r#""v":2,"node":"00000000-0000-0000-0000-000000000007","counter":3,"database":"1-2","epoch":"e","at":9"#;
    let session = r#""session":"00000000-0000-0000-0000-000000000001""#;
    let with = |rest: &str| read_text(&format!("{{{head},{rest}}}"));
    for payload in ["{}", r#"{"at":5,"user":"alice","x":[1]}"#, "7", "null"] {
        assert_eq!(with(&format!(r#"{session},"kind":"danced","payload":{payload}"#)), Some(EnvelopeBody::Ephemeral));
    }
    assert_eq!(with(r#""kind":"weather""#), Some(EnvelopeBody::Ephemeral));
    // With one it is in the log.
    let durable = r#""kind":"danced","seq":4,"payload":{"at":5,"actor":"alice"}"#;
    let said = with(&format!("{session},{durable}"));
    let Some(EnvelopeBody::Event(PeerEvent::Durable(event))) = said else { panic!("{said:?}") };
    assert_eq!((event.seq, event.change), (Seq::new(4), EventChange::Unknown));
}

#[test]
fn every_written_kind_is_known() {
    proptest!(|(event in prop_oneof![4 => durable(), 1 => typing()])| {
        prop_assert!(payload::is_known_kind(payload::kind(&event)));
    });
}

#[test]
fn an_event_is_read_without_people_and_without_what_cannot_be_shown_of_them() {
    let people = |people: &str| {
        let text = format!(
            r#"{{"v":1,"node":"00000000-0000-0000-0000-000000000007","counter":3,"database":"1-2","epoch":"e","at":9,"session":"00000000-0000-0000-0000-000000000001","kind":"receipt","seq":4,"payload":{{"at":5,"actor":"bob","receipt":{{"reader":"bob","status":"read","upTo":3,"messages":[]}}{people}}}}}"#
        );
        match read_text(&text) {
            Some(EnvelopeBody::Event(PeerEvent::Durable(event))) => event.people,
            other => panic!("{text}: {other:?}"),
        }
    };
    assert_eq!(people(""), KnownPeople::default(), "of a node of the version before");
    let long = "n".repeat(101);
    let mixed = format!(
        r#","people":[{{"id":"bob","name":"{long}","mood":1}},{{"id":""}},{{"id":"alice","name":"Alice","avatar":"http://a"}}]"#
    );
    let alice = Person { id: UserId::parse("alice").unwrap(), name: PersonName::parse("Alice").ok(), avatar_url: None };
    assert_eq!(people(&mixed), KnownPeople::new([Arc::new(alice)]));
}
