//! Every frame against its description, and what clients may get wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::error::ReplayUnavailable;
use chat_domain::inbox::{InboxCounts, InboxPage, InboxView};
use chat_domain::model::{
    ChatMessage, ChatSession, Delivery, Epoch, EventChange, IdempotencyKey, KnownPeople, LiveEvent, Party, Person,
    Principal, Receipt, ReceiptStatus, Seq, SessionEvent, SocketId, TypingEvent,
};
use chat_domain::ports::{InboxUpdate, Replay, SubscribeOutcome};
use chat_domain::service::SubscribeFrom;
use chat_testkit::fixtures::{
    FixtureKind, agent_id, alice, at, attachment, bob, content, message_id, named, new_session, session_id, uuid,
};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use super::catalogue::{FRAMES, FrameKind, FrameSender};
use super::server_frame::HelloFrame;
use super::*;
use crate::base_url::BaseUrl;
use crate::dto::{InboxSnapshotDto, InboxUpdateDto};
use crate::error::ErrorCode;

const MODES: [SocketMode; 3] = [SocketMode::Base, SocketMode::Extended, SocketMode::Multiplexed];

/// What is known of the people of the fixtures: of Alice a name and a picture, of Bob a name.
fn people() -> KnownPeople {
    let known = |who: Principal| {
        let who = named(who, "Known \"by\" a name");
        Arc::new(Person { id: who.id, name: who.name, avatar_url: who.avatar_url })
    };
    let bob = Person { avatar_url: None, ..known(bob()).as_ref().clone() };
    KnownPeople::new([known(alice()), Arc::new(bob)])
}

fn durable(seq: u64, change: EventChange) -> LiveEvent {
    let key = Some(IdempotencyKey::parse("b7c1").unwrap());
    let (actor, session_id) = (alice().id, session_id(1));
    LiveEvent::Durable(SessionEvent { session_id, seq: Seq::new(seq), at: at(4), actor, key, change, people: people() })
}

fn message(files: u64) -> LiveEvent {
    durable(
        18,
        EventChange::Message(ChatMessage {
            id: message_id(1),
            session_id: session_id(1),
            seq: Seq::new(18),
            author: alice().id,
            sender: Party::User,
            content: content("Where is \"it\"?\u{2028}"),
            sent_at: at(2),
            delivery: Delivery::Sent,
            attachments: (0..files).map(|n| attachment(n, b"bytes")).collect(),
        }),
    )
}

fn receipt(status: ReceiptStatus) -> LiveEvent {
    let messages = vec![message_id(1), message_id(2)];
    durable(20, EventChange::Receipt(Receipt { reader: bob().id, status, up_to: Seq::new(18), messages }))
}

fn typing() -> LiveEvent {
    LiveEvent::Typing(TypingEvent { session_id: session_id(1), user_id: bob().id, is_typing: true, at: at(1) })
}

/// An event of every kind.
fn events() -> Vec<LiveEvent> {
    let opened = ChatSession::open(new_session(1));
    let assigned = opened.clone().assign(agent_id(&bob()), at(1)).unwrap();
    let closed = assigned.clone().close(at(9)).unwrap();
    vec![
        durable(1, EventChange::Opened(opened)),
        durable(2, EventChange::Assigned(assigned.clone())),
        durable(3, EventChange::Transferred(assigned.clone())),
        durable(4, EventChange::Updated(assigned)),
        message(0),
        message(2),
        receipt(ReceiptStatus::Delivered),
        receipt(ReceiptStatus::Read),
        durable(21, EventChange::Closed(closed)),
        typing(),
    ]
}

fn limits() -> HelloLimits {
    HelloLimits { heartbeat: Duration::from_secs(25), max_frame_bytes: 16_384, token_expires_at: at(3_600), now: at(1) }
}

fn hello(replay: Replay) -> Value {
    let outcome = SubscribeOutcome { epoch: Epoch::parse("epoch-1").unwrap(), head: Seq::new(17), replay };
    let hello = HelloFrame {
        connection: SocketId::new(uuid(FixtureKind::Generated, 7)),
        session: session_id(1),
        user: &alice().id,
        outcome: &outcome,
        limits: limits(),
    };
    json(&ServerFrame::Hello(hello).encode())
}

fn replays() -> [Replay; 5] {
    let refused = [
        ReplayUnavailable::TooManyMissed { limit: 1_000 },
        ReplayUnavailable::AheadOfSession,
        ReplayUnavailable::OtherEpoch,
    ];
    let [many, ahead, epoch] = refused.map(Replay::Unavailable);
    [Replay::Complete { missed: 3 }, Replay::Fresh, many, ahead, epoch]
}

/// A frame of every kind about the socket itself.
fn controls() -> Vec<Value> {
    let error = |reference| {
        let message = "seq must not be ahead of what was sent on this socket";
        json(&ServerFrame::Error { code: ErrorCode::ValidationFailed, message, reference, session: None }.encode())
    };
    let mut frames: Vec<Value> = replays().into_iter().map(hello).collect();
    frames.extend([error(None), error(Some("c-42"))]);
    frames.extend(
        [
            ServerFrame::heartbeat(Seq::new(20), at(26)),
            ServerFrame::auth_expiring(at(3_600)),
            ServerFrame::auth_ok(at(7_200)),
        ]
        .map(|frame| json(&frame.encode())),
    );
    frames
}

/// The same on a socket of many sessions.
fn multiplexed_controls() -> Vec<Value> {
    let session = session_id(1);
    let error = |session: Option<&str>| ServerFrame::Error {
        code: ErrorCode::NotSubscribed,
        message: "this socket is not subscribed to the session",
        reference: Some("ack"),
        session: session.map(str::to_owned),
    };
    let (viewer, people, counts) = (bob(), people(), InboxCounts::default());
    let page = InboxPage { sessions: Vec::new(), counts, next: None };
    let update = InboxUpdate { view: InboxView::Waiting, session_id: session, session: None, counts };
    let mut frames: Vec<Value> = [
        ServerFrame::multiplexed_hello(SocketId::new(uuid(FixtureKind::Generated, 7)), &viewer, limits()),
        ServerFrame::Alive { now: at(26) },
        ServerFrame::passed(Some(session), Seq::new(20), at(26)),
        ServerFrame::unsubscribed("no \"session\"", CloseCode::Gone, CloseCode::Gone.reason().to_owned()),
        ServerFrame::Inbox(InboxSnapshotDto::new(&page, InboxView::Mine, Party::Support, &people)),
        ServerFrame::InboxUpdate { session, update: Box::new(InboxUpdateDto::new(&update, Party::Support, &people)) },
        ServerFrame::auth_expiring(at(3_600)),
        ServerFrame::auth_ok(at(7_200)),
        error(None),
        error(Some("019370d0-6e1b-7c40-8a52-1f0e5d1f7a11")),
    ]
    .iter()
    .map(|frame| json(&frame.encode()))
    .collect();
    frames.extend(replays().into_iter().map(|replay| {
        let outcome = SubscribeOutcome { epoch: Epoch::parse("epoch-1").unwrap(), head: Seq::new(17), replay };
        json(&ServerFrame::subscribed(session, &outcome).encode())
    }));
    frames
}

/// Every frame that the server can send in a mode.
fn server_frames(mode: SocketMode) -> Vec<Value> {
    let base = BaseUrl::default();
    let encode = |event: &LiveEvent, own| encode_event(event, mode, &base, own).map(|text| json(&text));
    let mut frames: Vec<Value> = events().iter().filter_map(|event| encode(event, false)).collect();
    frames.extend(events().iter().filter_map(|event| encode(event, true)));
    match mode {
        SocketMode::Base => {}
        SocketMode::Extended => frames.extend(controls()),
        SocketMode::Multiplexed => frames.extend(multiplexed_controls()),
    }
    frames
}

#[track_caller]
fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

/// The schema of a frame's whole text. Fields that it does not name are errors here: a client may ignore them, but the
/// document should name them.
fn schema_of(mode: SocketMode, frame: &FrameKind) -> Validator {
    let mut document: Value = serde_json::from_str(&crate::asyncapi_json(None)).unwrap();
    close_objects(&mut document);
    let sender = if frame.sender == FrameSender::Server { "server" } else { "client" };
    let name = format!("{}_{sender}_{}", mode.as_str(), frame.name);
    let mut payload = document.pointer(&format!("/components/messages/{name}/payload")).expect("a message").clone();
    // For generators a name; for this validator it would be the address that references are relative to.
    payload.as_object_mut().unwrap().remove("$id");
    let schema = json!({ "allOf": [payload], "components": document["components"] });
    jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true).build(&schema).unwrap()
}

fn close_objects(value: &mut Value) {
    if let Value::Object(fields) = value {
        if fields.get("properties").is_some_and(Value::is_object) && fields.get("type") == Some(&json!("object")) {
            fields.insert("additionalProperties".to_owned(), json!(false));
        }
        fields.values_mut().for_each(close_objects);
    }
}

#[track_caller]
fn assert_fits(validator: &Validator, frame: &Value) {
    let errors: Vec<String> = validator.iter_errors(frame).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{frame} does not fit: {errors:?}");
}

#[test]
fn the_document_has_every_server_frame_and_no_other() {
    for mode in MODES {
        let mut seen = BTreeSet::new();
        for frame in server_frames(mode) {
            let name = frame["type"].as_str().unwrap();
            let of_type = |kind: &&FrameKind| {
                kind.name == name && kind.sender == FrameSender::Server && kind.modes.contains(&mode)
            };
            let kind = FRAMES.iter().find(of_type).unwrap_or_else(|| panic!("{name} is not in the catalogue"));
            assert_fits(&schema_of(mode, kind), &frame);
            assert_eq!(kind.durable && mode != SocketMode::Base, frame.get("seq").is_some(), "{frame}");
            seen.insert(kind.name);
        }
        let described: BTreeSet<&str> = FRAMES
            .iter()
            .filter(|kind| kind.sender == FrameSender::Server && kind.modes.contains(&mode))
            .map(|kind| kind.name)
            .collect();
        assert_eq!(seen, described, "{mode:?}");
    }
}

#[test]
fn examples_fit_their_schemas_and_client_frames_are_parsed() {
    for kind in FRAMES {
        for mode in kind.modes {
            let example = kind.example_of(*mode);
            assert_fits(&schema_of(*mode, kind), &example);
            if kind.sender == FrameSender::Client {
                let frame = parse_client_frame(&example.to_string(), *mode).unwrap();
                assert_ne!(frame.command, ClientCommand::Unknown, "{}", kind.name);
            }
        }
    }
}

/// Otherwise the tests above would say nothing.
#[test]
fn the_schemas_object_to_frames_that_are_wrong() {
    let frame = |name: &str| FRAMES.iter().find(|kind| kind.name == name).unwrap();
    for (name, wrong) in [
        ("receipt", json!({ "type": "receipt" })),
        ("heartbeat", json!({ "type": "heartbeat", "data": { "seq": 1 } })),
        ("heartbeat", json!({ "type": "heartbeat", "data": { "seq": "1", "serverTime": "2026-01-31T09:05:26.000Z" } })),
        ("heartbeat", json!({ "type": "heartbeat", "data": { "seq": 1, "serverTime": "yesterday" } })),
        ("heartbeat", json!({ "type": "hello", "data": { "seq": 1, "serverTime": "2026-01-31T09:05:26.000Z" } })),
        ("ack", json!({ "type": "ack", "data": { "seq": -1 } })),
        ("ack", json!({ "type": "ack", "data": { "seq": 1 }, "ref": "x".repeat(65) })),
        ("ack", json!({ "type": "ack", "data": { "seq": 1, "more": 1 } })),
        ("typing", json!({ "type": "typing", "data": { "isTyping": true } })),
    ] {
        assert!(!schema_of(SocketMode::Extended, frame(name)).is_valid(&wrong), "{wrong}");
    }
}

#[test]
fn a_frame_of_base_mode_is_type_and_data_and_nothing_else() {
    let base = BaseUrl::default();
    for own in [false, true] {
        let frames: Vec<Value> = events()
            .iter()
            .filter_map(|event| encode_event(event, SocketMode::Base, &base, own))
            .map(|text| json(&text))
            .collect();
        assert_eq!(frames.len(), events().len() - 2, "all but the receipts");
        for frame in frames {
            let keys: Vec<&str> = frame.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys, ["data", "type"], "{frame}");
        }
    }
}

#[test]
fn a_receipt_names_the_reader_and_the_messages() {
    let base = BaseUrl::default();
    let frame = encode_event(&receipt(ReceiptStatus::Read), SocketMode::Extended, &base, true).unwrap();
    assert_eq!(
        json(&frame),
        json!({
            "type": "receipt",
            "seq": 20,
            "data": {
                "userId": "bob",
                "status": "read",
                "upToSeq": 18,
                "messageIds": [message_id(1).to_string(), message_id(2).to_string()],
                "timestamp": "2026-01-31T09:05:04.000Z",
            },
        })
    );
}

#[test]
fn only_a_message_and_only_for_its_sender_has_the_key_beside_it() {
    let base = BaseUrl::default();
    for event in events() {
        let is_message = matches!(&event, LiveEvent::Durable(event) if matches!(event.change, EventChange::Message(_)));
        for own in [false, true] {
            let frame = json(&encode_event(&event, SocketMode::Extended, &base, own).unwrap());
            let expected = if is_message && own { json!("b7c1") } else { json!(null) };
            assert_eq!(frame["idempotencyKey"], expected, "{frame}");
        }
    }
}

#[test]
fn hello_says_whether_missed_events_are_replayed() {
    let reasons = replays().map(|replay| {
        let data = hello(replay)["data"].take();
        (data["resumed"].clone(), data["reason"].clone(), data["replayed"].clone())
    });
    assert_eq!(
        reasons,
        [
            (json!(true), json!(null), json!(3)),
            (json!(false), json!("fresh"), json!(0)),
            (json!(false), json!("too_many_missed"), json!(0)),
            (json!(false), json!("ahead"), json!(0)),
            (json!(false), json!("epoch"), json!(0)),
        ]
    );
}

#[test]
fn frames_of_clients_are_understood() {
    let position = |n| Seq::new(n);
    for (text, command) in [
        (r#"{"type":"ack","data":{"seq":0}}"#, ClientCommand::Ack(Seq::ZERO)),
        (r#"{"data":{"seq":9223372036854775807},"type":"ack"}"#, ClientCommand::Ack(position(i64::MAX.unsigned_abs()))),
        (r#" {"type":"read","data":{"seq":7,"later":[{}]},"later":null} "#, ClientCommand::Read(position(7))),
        (r#"{"type":"typing","data":{"isTyping":false}}"#, ClientCommand::Typing(false)),
        (r#"{"type":"heartbeat"}"#, ClientCommand::Heartbeat(None)),
        (r#"{"type":"heartbeat","data":{}}"#, ClientCommand::Heartbeat(None)),
        (r#"{"type":"heartbeat","data":{"seq":3}}"#, ClientCommand::Heartbeat(Some(position(3)))),
        (r#"{"type":"auth","data":{"token":"a.b.c"}}"#, ClientCommand::Auth("a.b.c".to_owned())),
        // Types of a later version, and of this one in the other direction.
        (r#"{"type":"reaction","data":[1,2]}"#, ClientCommand::Unknown),
        (r#"{"type":"hello"}"#, ClientCommand::Unknown),
        (r#"{"type":"Ack","data":{"seq":-1}}"#, ClientCommand::Unknown),
        (r#"{"type":""}"#, ClientCommand::Unknown),
    ] {
        let frame = parse_client_frame(text, SocketMode::Extended).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(frame, ClientFrame { command, session: None, reference: None }, "{text}");
    }
}

#[test]
fn malformed_frames_differ_from_unknown_types() {
    let deep = format!(r#"{{"type":"x","data":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let open = "{\"a\":".repeat(100_000);
    for text in [
        "",
        " ",
        "null",
        "1",
        "\"ack\"",
        "[]",
        "{}",
        "{",
        "}",
        "[\"ack\",{\"seq\":1}]",
        r#"{"type":"ack","data":{"seq":1}} {}"#,
        r#"{"type":"ack","data":{"seq":1},}"#,
        // The type.
        r#"{"type":null}"#,
        r#"{"type":1}"#,
        r#"{"type":["ack"]}"#,
        r#"{"Type":"heartbeat"}"#,
        r#"{"data":{"seq":1}}"#,
        // Repeated keys, at any depth, also in fields that are ignored.
        r#"{"type":"ack","type":"ack","data":{"seq":1}}"#,
        r#"{"type":"ack","data":{"seq":1,"seq":1}}"#,
        r#"{"type":"x","y":[{"a":1,"a":2}]}"#,
        r#"{"type":"heartbeat","\u0074ype":"heartbeat"}"#,
        // Positions.
        r#"{"type":"ack"}"#,
        r#"{"type":"ack","data":null}"#,
        r#"{"type":"ack","data":[1]}"#,
        r#"{"type":"ack","data":1}"#,
        r#"{"type":"ack","data":{}}"#,
        r#"{"type":"ack","data":{"seq":null}}"#,
        r#"{"type":"ack","data":{"seq":-1}}"#,
        r#"{"type":"ack","data":{"seq":-0}}"#,
        r#"{"type":"ack","data":{"seq":9223372036854775808}}"#,
        r#"{"type":"ack","data":{"seq":18446744073709551616}}"#,
        r#"{"type":"ack","data":{"seq":1.0}}"#,
        r#"{"type":"ack","data":{"seq":1e0}}"#,
        r#"{"type":"ack","data":{"seq":1e400}}"#,
        r#"{"type":"ack","data":{"seq":"1"}}"#,
        r#"{"type":"ack","data":{"seq":true}}"#,
        r#"{"type":"ack","data":{"seq":[1]}}"#,
        r#"{"type":"read","data":{"seq":-1}}"#,
        r#"{"type":"heartbeat","data":{"seq":null}}"#,
        r#"{"type":"heartbeat","data":{"seq":-1}}"#,
        r#"{"type":"heartbeat","data":null}"#,
        // The others.
        r#"{"type":"typing","data":{}}"#,
        r#"{"type":"typing","data":{"isTyping":null}}"#,
        r#"{"type":"typing","data":{"isTyping":"true"}}"#,
        r#"{"type":"typing","data":{"isTyping":1}}"#,
        r#"{"type":"auth","data":{}}"#,
        r#"{"type":"auth","data":{"token":1}}"#,
        r#"{"type":"auth","data":{"token":null}}"#,
        // The reference.
        r#"{"type":"heartbeat","ref":1}"#,
        r#"{"type":"heartbeat","ref":null}"#,
        r#"{"type":"x","ref":{}}"#,
        // Text.
        r#"{"type":"x","y":"\ud800"}"#,
        "{\"type\":\"x\u{0}\"}",
        "\u{feff}{\"type\":\"heartbeat\"}",
        "{'type':'x'}",
        &deep,
        &open,
    ] {
        let shown: String = text.chars().take(80).collect();
        assert!(parse_client_frame(text, SocketMode::Extended).is_err(), "accepted: {shown}");
    }
}

#[test]
fn a_reference_has_at_most_64_characters() {
    let with = |reference: &str| {
        parse_client_frame(&json!({ "type": "heartbeat", "ref": reference }).to_string(), SocketMode::Extended)
    };
    for reference in ["", "c-42", &"\u{1f600}".repeat(64)] {
        let frame = with(reference).unwrap();
        assert_eq!(frame.reference.unwrap().as_str(), reference);
    }
    assert!(with(&"\u{1f600}".repeat(65)).is_err());
}

#[test]
fn a_token_in_a_frame_does_not_show_when_the_frame_is_printed() {
    let frame = parse_client_frame(r#"{"type":"auth","data":{"token":"canary"}}"#, SocketMode::Extended).unwrap();
    assert!(!format!("{frame:?}").contains("canary"));
}

#[test]
fn frames_about_a_session_name_it_on_a_socket_of_many() {
    let session = "019370d0-6e1b-7c40-8a52-1f0e5d1f7a11";
    let position = |seq, epoch: Option<&str>| {
        let epoch = epoch.map(|epoch| Epoch::parse(epoch).unwrap());
        ClientCommand::Subscribe(SubscribeFrom::Position(Seq::new(seq), epoch))
    };
    for (frame, command, reference) in [
        (json!({ "type": "subscribe" }), ClientCommand::Subscribe(SubscribeFrom::Now), "subscribe"),
        (json!({ "type": "subscribe", "data": {} }), ClientCommand::Subscribe(SubscribeFrom::Now), "subscribe"),
        (json!({ "type": "subscribe", "data": { "since": 3 } }), position(3, None), "subscribe"),
        (json!({ "type": "subscribe", "data": { "since": 0, "epoch": "e-1" } }), position(0, Some("e-1")), "subscribe"),
        (
            json!({ "type": "subscribe", "data": { "epoch": "e" } }),
            ClientCommand::Subscribe(SubscribeFrom::Now),
            "subscribe",
        ),
        (json!({ "type": "unsubscribe", "ref": "x" }), ClientCommand::Unsubscribe, "x"),
        (json!({ "type": "unsubscribe", "data": { "later": 1 } }), ClientCommand::Unsubscribe, "unsubscribe"),
        (json!({ "type": "ack", "data": { "seq": 3 } }), ClientCommand::Ack(Seq::new(3)), "ack"),
        (json!({ "type": "read", "data": { "seq": 3 }, "ref": "" }), ClientCommand::Read(Seq::new(3)), ""),
        (json!({ "type": "typing", "data": { "isTyping": true } }), ClientCommand::Typing(true), "typing"),
    ] {
        let mut with_session = frame.clone();
        with_session["sessionId"] = json!(session);
        let parsed = parse_client_frame(&with_session.to_string(), SocketMode::Multiplexed).unwrap();
        assert_eq!((parsed.command, parsed.session.as_deref()), (command, Some(session)), "{frame}");
        assert_eq!(parsed.reference.unwrap().as_str(), reference, "{frame}");
        let refused = parse_client_frame(&frame.to_string(), SocketMode::Multiplexed);
        assert!(refused.is_err(), "without a session: {frame}");
        for wrong in [json!(null), json!(7), json!(["s"])] {
            let mut with_wrong = frame.clone();
            with_wrong["sessionId"] = wrong;
            assert!(parse_client_frame(&with_wrong.to_string(), SocketMode::Multiplexed).is_err(), "{with_wrong}");
        }
    }
}

#[test]
fn frames_about_the_socket_need_no_session() {
    for (text, command) in [
        (r#"{"type":"heartbeat"}"#, ClientCommand::Heartbeat(None)),
        (r#"{"type":"auth","data":{"token":"a.b.c"}}"#, ClientCommand::Auth("a.b.c".to_owned())),
        (
            r#"{"type":"open_inbox","data":{"views":["mine"],"limit":7}}"#,
            ClientCommand::OpenInbox(vec!["mine".to_owned()], Some(7)),
        ),
        (r#"{"type":"message","sessionId":7}"#, ClientCommand::Unknown),
    ] {
        let parsed = parse_client_frame(text, SocketMode::Multiplexed).unwrap();
        assert_eq!((parsed.command, parsed.session), (command, None), "{text}");
    }
}

#[test]
fn malformed_subscriptions_are_refused() {
    for data in [
        r#"{"since":-1}"#,
        r#"{"since":9223372036854775808}"#,
        r#"{"since":"3"}"#,
        r#"{"since":null}"#,
        r#"{"since":3,"epoch":""}"#,
        r#"{"since":3,"epoch":"no epoch"}"#,
        r#"{"epoch":7}"#,
        "[]",
        "null",
        "3",
    ] {
        let text = format!(r#"{{"type":"subscribe","sessionId":"s","data":{data}}}"#);
        assert!(parse_client_frame(&text, SocketMode::Multiplexed).is_err(), "{text}");
        assert_eq!(parse_client_frame(&text, SocketMode::Extended).unwrap().command, ClientCommand::Unknown);
    }
    let text = r#"{"type":"unsubscribe","sessionId":"s","data":[]}"#;
    assert!(parse_client_frame(text, SocketMode::Multiplexed).is_err());
}
