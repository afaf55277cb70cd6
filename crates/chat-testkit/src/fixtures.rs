//! People, sessions, messages and files to test with. Everything is made from small numbers, so that a test names
//! what it means: `session_id(1)` is the same id everywhere.

use std::time::Duration;

use chat_domain::model::{
    AgentId, Attachment, AttachmentId, AvatarUrl, Color, Content, DetailsUpdate, DraftAttachments, ExpectedVersion,
    FileName, Fingerprint, Idempotency, IdempotencyKey, MediaMetadata, MediaType, MessageDraft, MessageId, NewSession,
    PageLimit, PageNumber, PersonName, Principal, Priority, Role, SessionAction, SessionChange, SessionId,
    SessionUpdate, StoredObject, Subject, Tags, Timestamp, UserId,
};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// Milliseconds since 1970 of the moment at which the tests' time starts: 2026-01-31T09:05:00.000Z.
pub const START: i64 = 1_769_850_300_000;

/// What an id names, so that equal numbers of different kinds give different ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixtureKind {
    /// Made by [`SequentialIds`](crate::SequentialIds).
    Generated,
    /// A session.
    Session,
    /// A message.
    Message,
    /// An attachment.
    Attachment,
}

/// The UUIDv7 of number `n`; ids of one kind sort as their numbers do.
pub fn uuid(kind: FixtureKind, n: u64) -> Uuid {
    let mut random = [0; 10];
    let (kind_part, number_part) = random.split_at_mut(2);
    kind_part.fill(kind as u8);
    number_part.copy_from_slice(&n.to_be_bytes());
    Builder::from_unix_timestamp_millis(START.unsigned_abs().wrapping_add(n), &random).into_uuid()
}

/// The session id of number `n`.
pub fn session_id(n: u64) -> SessionId {
    SessionId::new(uuid(FixtureKind::Session, n))
}

/// The message id of number `n`.
pub fn message_id(n: u64) -> MessageId {
    MessageId::new(uuid(FixtureKind::Message, n))
}

/// The attachment id of number `n`.
pub fn attachment_id(n: u64) -> AttachmentId {
    AttachmentId::new(uuid(FixtureKind::Attachment, n))
}

/// The moment at which the tests' time starts.
pub fn start() -> Timestamp {
    Timestamp::from_unix_ms(START)
}

/// The moment that many seconds after the start.
pub fn at(seconds: u64) -> Timestamp {
    start().plus(Duration::from_secs(seconds))
}

/// A person of that id and role.
pub fn person(id: &str, role: Role) -> Principal {
    Principal::new(UserId::parse(id).expect("a fixture's id is valid"), role)
}

/// The customer who owns the sessions of [`new_session`].
pub fn alice() -> Principal {
    person("alice", Role::User)
}

/// Another customer.
pub fn mallory() -> Principal {
    person("mallory", Role::User)
}

/// An agent.
pub fn bob() -> Principal {
    person("bob", Role::Agent)
}

/// Another agent.
pub fn carol() -> Principal {
    person("carol", Role::Agent)
}

/// An admin.
pub fn root() -> Principal {
    person("root", Role::Admin)
}

/// The person with a token that says what they are called and where their picture is.
#[must_use]
pub fn named(who: Principal, name: &str) -> Principal {
    let url = avatar(&format!("https://pictures.example.com/{}.png", who.id.as_str().len()));
    Principal { name: PersonName::parse(name).ok(), avatar_url: url, ..who }
}

/// The address of a picture.
pub fn avatar(url: &str) -> Option<AvatarUrl> {
    Some(AvatarUrl::parse(url).expect("a fixture's address is valid"))
}

/// The person as an agent of the directory.
pub fn agent_id(of: &Principal) -> AgentId {
    AgentId::from(&of.id)
}

/// Session `n` of Alice, opened `n` seconds after the start.
pub fn new_session(n: u64) -> NewSession {
    new_session_of(&alice(), n)
}

/// Session `n` of `owner`, opened `n` seconds after the start.
pub fn new_session_of(owner: &Principal, n: u64) -> NewSession {
    NewSession {
        id: session_id(n),
        owner: owner.id.clone(),
        subject: Subject::parse(&format!("Question {n}")).expect("a fixture's subject is valid"),
        priority: Priority::High,
        tags: Tags::parse(["billing", "mobile"]).expect("the fixture's tags are valid"),
        started_at: at(n),
    }
}

/// Message `n` for a session, sent `n` seconds after the start.
pub fn draft(session_id: SessionId, author: &Principal, n: u64) -> MessageDraft {
    MessageDraft {
        id: message_id(n),
        session_id,
        author: author.clone(),
        content: content(&format!("message {n}")),
        attachments: DraftAttachments::NONE,
        sent_at: at(n),
        idempotency: None,
    }
}

/// The text of a message that may stand beside files.
pub fn content(text: &str) -> Content {
    Content::parse(text.to_owned(), true).expect("a fixture's text is valid")
}

/// The draft with an idempotency key, and with its content as the meaning of the request.
#[must_use]
pub fn keyed(draft: MessageDraft, key: &str) -> MessageDraft {
    let idempotency = Some(idempotency(key, draft.content.as_str()));
    MessageDraft { idempotency, ..draft }
}

/// A key for a request with that meaning.
pub fn idempotency(key: &str, meaning: &str) -> Idempotency {
    Idempotency {
        key: IdempotencyKey::parse(key).expect("a fixture's key is valid"),
        fingerprint: Fingerprint::builder().part(meaning).finish(),
    }
}

/// Attachment `n` with those bytes, as a store describes it. Every field that can be set is set.
pub fn attachment(n: u64, bytes: &[u8]) -> Attachment {
    Attachment {
        id: attachment_id(n),
        name: FileName::sanitize(&format!("photo {n}.png")),
        object: StoredObject {
            size: bytes.len() as u64,
            sha256: Sha256::digest(bytes).into(),
            media_type: MediaType::parse("image/png").expect("the fixture's media type is valid"),
            metadata: MediaMetadata { width: Some(640), height: Some(480), duration: Some(1.5) },
        },
        dominant_color: Color::from_number(0xa1_b2_c3),
    }
}

/// A change of a session that `by` asks for, `seconds` after the start.
pub fn change(by: &Principal, action: SessionAction, seconds: u64) -> SessionChange {
    SessionChange { by: by.clone(), at: at(seconds), action }
}

/// Giving a session to `agent`.
pub fn assign(agent: &Principal) -> SessionAction {
    SessionAction::Assign(agent_id(agent))
}

/// Handing a session over to `agent`.
pub fn transfer(agent: &Principal) -> SessionAction {
    SessionAction::Transfer(Some(agent_id(agent)))
}

/// Changing what a session is about, whatever its version.
pub fn update(details: DetailsUpdate) -> SessionAction {
    SessionAction::Update(SessionUpdate { details, expected: ExpectedVersion::Any })
}

/// A page of that many items.
pub fn limit(items: u64) -> PageLimit {
    PageLimit::clamped(items).expect("a page has at least one item")
}

/// The page of that number.
pub fn page(number: u64) -> PageNumber {
    PageNumber::new(number).expect("pages count from 1")
}
