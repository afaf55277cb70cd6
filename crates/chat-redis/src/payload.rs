//! Events as JSON between nodes of one deployment. The ids and sequence numbers that an envelope has are not repeated
//! here.
//!
//! Reading returns what was written. A reader ignores unknown fields, and maps values that only a newer version knows
//! as the database's reader does; of a durable event of an unknown kind, it takes the actor, the time and `seq`.
//! Anything else that it cannot read makes the whole event unreadable.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use chat_domain::model::{
    AgentId, Attachment, AttachmentId, AvatarUrl, ChatMessage, ChatSession, Color, Content, Delivery, EventChange,
    FileName, IdempotencyKey, KnownPeople, LatestActivity, MediaMetadata, MediaType, MessageId, OpeningDetails, Party,
    Person, PersonName, Priority, Progress, Receipt, ReceiptStatus, Seq, SessionDetails, SessionEvent, SessionId,
    SessionState, StoredObject, Subject, Tags, Timestamp, UserId,
};
use chat_realtime::{PeerEvent, PeerTyping};
use serde::{Deserialize, Serialize, Serializer};

/// Written as its text.
pub(crate) fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The kind of the one event without `seq`.
pub(crate) const TYPING: &str = "typing";

/// Whether this version has events of this kind.
pub(crate) fn is_known_kind(kind: &str) -> bool {
    [TYPING, "opened", "assigned", "transferred", "updated", "closed", "message", "receipt", "unknown"].contains(&kind)
}

/// The name of an event's kind, in its envelope.
pub(crate) fn kind(event: &PeerEvent) -> &'static str {
    match event {
        PeerEvent::Typing(_) => TYPING,
        PeerEvent::Durable(event) => match event.change {
            EventChange::Opened(_) => "opened",
            EventChange::Assigned(_) => "assigned",
            EventChange::Transferred(_) => "transferred",
            EventChange::Updated(_) => "updated",
            EventChange::Closed(_) => "closed",
            EventChange::Message(_) => "message",
            EventChange::Receipt(_) => "receipt",
            EventChange::Unknown => "unknown",
        },
    }
}

/// The payload of an envelope, by kind.
#[derive(Serialize)]
#[serde(untagged)]
#[expect(
    clippy::large_enum_variant,
    reason = "most are the large one, and none lives longer than it takes to write it"
)]
pub(crate) enum Payload<'a> {
    Typing(Typing<'a>),
    Durable(Durable<'a>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Typing<'a> {
    at: i64,
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(rename = "isTyping")]
    started: bool,
    #[serde(default, rename = "byNode", skip_serializing_if = "is_false")]
    by_node: bool,
}

/// Of session, message and receipt one is there at most: the kind says which.
#[derive(Serialize, Deserialize)]
pub(crate) struct Durable<'a> {
    at: i64,
    #[serde(borrow)]
    actor: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    session: Option<SessionPayload<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    message: Option<MessagePayload<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    receipt: Option<ReceiptPayload<'a>>,
    /// Absent when nothing is known of those whom the event shows, and in events of the version before.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    people: Vec<PersonPayload<'a>>,
}

#[derive(Serialize, Deserialize)]
struct PersonPayload<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    avatar: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionPayload<'a> {
    #[serde(borrow)]
    owner: Cow<'a, str>,
    #[serde(borrow)]
    agent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow)]
    priority: Cow<'a, str>,
    tags: Vec<Cow<'a, str>>,
    started_at: i64,
    /// Present when the session has ended.
    ended_at: Option<i64>,
    last_seq: u64,
    message_count: u64,
    waiting_since: Option<i64>,
    unread_by_user: u64,
    unread_by_support: u64,
    user_delivered_seq: u64,
    support_delivered_seq: u64,
    user_read_seq: u64,
    support_read_seq: u64,
    /// Present when the session is no longer about what it was opened with.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    opened_with: Option<OpeningPayload<'a>>,
}

#[derive(Serialize, Deserialize)]
struct OpeningPayload<'a> {
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow)]
    priority: Cow<'a, str>,
    tags: Vec<Cow<'a, str>>,
    until: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessagePayload<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    author: Cow<'a, str>,
    #[serde(borrow)]
    sender: Cow<'a, str>,
    #[serde(borrow)]
    content: Cow<'a, str>,
    sent_at: i64,
    delivered_at: Option<i64>,
    read_at: Option<i64>,
    #[serde(borrow)]
    attachments: Vec<AttachmentPayload<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentPayload<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    size: u64,
    sha256: [u8; 32],
    #[serde(borrow)]
    media_type: Cow<'a, str>,
    width: Option<u32>,
    height: Option<u32>,
    duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dominant_color: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptPayload<'a> {
    #[serde(borrow)]
    reader: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    up_to: u64,
    messages: Vec<Cow<'a, str>>,
}

impl<'a> From<&'a PeerEvent> for Payload<'a> {
    fn from(event: &'a PeerEvent) -> Self {
        match event {
            PeerEvent::Typing(typing) => Self::Typing(Typing {
                at: typing.at.unix_ms(),
                user: typing.user_id.as_str().into(),
                started: typing.is_typing,
                by_node: typing.by_node,
            }),
            PeerEvent::Durable(event) => Self::Durable(event.into()),
        }
    }
}

impl<'a> From<&'a SessionEvent> for Durable<'a> {
    fn from(event: &'a SessionEvent) -> Self {
        let (mut message, mut receipt) = (None, None);
        match &event.change {
            EventChange::Message(it) => message = Some(it.into()),
            EventChange::Receipt(it) => receipt = Some(it.into()),
            EventChange::Opened(_)
            | EventChange::Assigned(_)
            | EventChange::Transferred(_)
            | EventChange::Updated(_)
            | EventChange::Closed(_)
            | EventChange::Unknown => {}
        }
        Self {
            at: event.at.unix_ms(),
            actor: event.actor.as_str().into(),
            key: event.key.as_ref().map(|key| key.as_str().into()),
            session: event.change.session().map(SessionPayload::from),
            message,
            receipt,
            people: event.people.iter().map(|person| PersonPayload::from(&**person)).collect(),
        }
    }
}

impl<'a> From<&'a Person> for PersonPayload<'a> {
    fn from(person: &'a Person) -> Self {
        Self {
            id: person.id.as_str().into(),
            name: person.name.as_ref().map(|name| name.as_str().into()),
            avatar: person.avatar_url.as_ref().map(|url| url.as_str().into()),
        }
    }
}

impl<'a> From<&'a ChatSession> for SessionPayload<'a> {
    fn from(session: &'a ChatSession) -> Self {
        let progress = &session.progress;
        Self {
            owner: session.owner.as_str().into(),
            agent: session.agent().map(|agent| agent.as_str().into()),
            subject: session.subject.as_ref().map(|subject| subject.as_str().into()),
            priority: session.priority.as_str().into(),
            tags: session.tags.as_slice().iter().map(|tag| tag.as_str().into()).collect(),
            started_at: session.started_at.unix_ms(),
            ended_at: session.ended_at().map(Timestamp::unix_ms),
            last_seq: progress.last_seq.get(),
            message_count: progress.message_count,
            waiting_since: progress.waiting_since.map(Timestamp::unix_ms),
            unread_by_user: progress.unread_by_user,
            unread_by_support: progress.unread_by_support,
            user_delivered_seq: progress.user_delivered_seq.get(),
            support_delivered_seq: progress.support_delivered_seq.get(),
            user_read_seq: progress.user_read_seq.get(),
            support_read_seq: progress.support_read_seq.get(),
            opened_with: session.opened_with.as_deref().map(OpeningPayload::from),
        }
    }
}

impl<'a> From<&'a OpeningDetails> for OpeningPayload<'a> {
    fn from(opening: &'a OpeningDetails) -> Self {
        let details = &opening.details;
        Self {
            subject: details.subject.as_ref().map(|subject| subject.as_str().into()),
            priority: details.priority.as_str().into(),
            tags: details.tags.as_slice().iter().map(|tag| tag.as_str().into()).collect(),
            until: opening.until.get(),
        }
    }
}

impl<'a> From<&'a ChatMessage> for MessagePayload<'a> {
    fn from(message: &'a ChatMessage) -> Self {
        Self {
            id: message.id.to_string().into(),
            author: message.author.as_str().into(),
            sender: message.sender.as_str().into(),
            content: message.content.as_str().into(),
            sent_at: message.sent_at.unix_ms(),
            delivered_at: message.delivery.delivered_at().map(Timestamp::unix_ms),
            read_at: message.delivery.read_at().map(Timestamp::unix_ms),
            attachments: message.attachments.iter().map(AttachmentPayload::from).collect(),
        }
    }
}

impl<'a> From<&'a Attachment> for AttachmentPayload<'a> {
    fn from(attachment: &'a Attachment) -> Self {
        let object = &attachment.object;
        Self {
            id: attachment.id.to_string().into(),
            name: attachment.name.as_str().into(),
            size: object.size,
            sha256: object.sha256,
            media_type: object.media_type.as_str().into(),
            width: object.metadata.width,
            height: object.metadata.height,
            duration: object.metadata.duration,
            dominant_color: attachment.dominant_color.map(Color::number),
        }
    }
}

impl<'a> From<&'a Receipt> for ReceiptPayload<'a> {
    fn from(receipt: &'a Receipt) -> Self {
        Self {
            reader: receipt.reader.as_str().into(),
            status: receipt.status.as_str().into(),
            up_to: receipt.up_to.get(),
            messages: receipt.messages.iter().map(|id| id.to_string().into()).collect(),
        }
    }
}

/// Reads an optional field. `None` when it is present and cannot be read.
#[expect(clippy::option_option, reason = "absent and unreadable are two things")]
fn optional<T>(text: Option<&str>, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    text.map_or(Some(None), |text| read(text).map(Some))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Typing<'_> {
    pub(crate) fn read(&self, session_id: SessionId) -> Option<PeerEvent> {
        let user_id = UserId::parse(&self.user).ok()?;
        let at = Timestamp::from_unix_ms(self.at);
        let Self { started: is_typing, by_node, .. } = *self;
        Some(PeerEvent::Typing(PeerTyping { session_id, user_id, is_typing, at, by_node }))
    }
}

impl Durable<'_> {
    pub(crate) fn read(self, kind: &str, session_id: SessionId, seq: Seq) -> Option<PeerEvent> {
        let at = Timestamp::from_unix_ms(self.at);
        let people = KnownPeople::new(self.people.iter().filter_map(PersonPayload::read).map(Arc::new));
        let session = || self.session.as_ref().and_then(|session| session.read(session_id, at));
        let change = match kind {
            "opened" => EventChange::Opened(session()?),
            "assigned" => EventChange::Assigned(session()?),
            "transferred" => EventChange::Transferred(session()?),
            "updated" => EventChange::Updated(session()?),
            "closed" => EventChange::Closed(session()?),
            "message" => EventChange::Message(self.message?.read(session_id, seq)?),
            "receipt" => EventChange::Receipt(self.receipt?.read()?),
            _ => EventChange::Unknown,
        };
        let key = optional(self.key.as_deref(), |key| IdempotencyKey::parse(key).ok())?;
        let actor = UserId::parse(&self.actor).ok()?;
        Some(PeerEvent::Durable(SessionEvent { session_id, seq, at, actor, key, change, people }))
    }
}

impl PersonPayload<'_> {
    /// What cannot be shown is left out: a name and a picture only decorate an event.
    fn read(&self) -> Option<Person> {
        Some(Person {
            id: UserId::parse(&self.id).ok()?,
            name: self.name.as_deref().and_then(|name| PersonName::parse(name).ok()),
            avatar_url: self.avatar.as_deref().and_then(|url| AvatarUrl::parse(url).ok()),
        })
    }
}

impl SessionPayload<'_> {
    /// The session right after a change that was made `at`.
    fn read(&self, id: SessionId, at: Timestamp) -> Option<ChatSession> {
        let agent = optional(self.agent.as_deref(), |agent| AgentId::parse(agent).ok())?;
        let state = match self.ended_at {
            Some(at) => SessionState::Closed { agent, at: Timestamp::from_unix_ms(at) },
            None => SessionState::Active { agent },
        };
        let details = read_details(self.subject.as_deref(), &self.priority, &self.tags)?;
        let opened_with = match &self.opened_with {
            Some(OpeningPayload { subject, priority, tags, until }) => {
                let details = read_details(subject.as_deref(), priority, tags)?;
                Some(Box::new(OpeningDetails { details, until: Seq::new(*until) }))
            }
            None => None,
        };
        let SessionDetails { subject, priority, tags } = details;
        Some(ChatSession {
            id,
            owner: UserId::parse(&self.owner).ok()?,
            subject,
            priority,
            tags,
            opened_with,
            started_at: Timestamp::from_unix_ms(self.started_at),
            state,
            progress: Progress {
                last_seq: Seq::new(self.last_seq),
                last_event_at: at,
                message_count: self.message_count,
                waiting_since: self.waiting_since.map(Timestamp::from_unix_ms),
                unread_by_user: self.unread_by_user,
                unread_by_support: self.unread_by_support,
                user_delivered_seq: Seq::new(self.user_delivered_seq),
                support_delivered_seq: Seq::new(self.support_delivered_seq),
                user_read_seq: Seq::new(self.user_read_seq),
                support_read_seq: Seq::new(self.support_read_seq),
            },
            latest: LatestActivity::default(),
        })
    }
}

fn read_details(subject: Option<&str>, priority: &str, tags: &[Cow<'_, str>]) -> Option<SessionDetails> {
    let subject = optional(subject, |subject| Subject::parse(subject).ok())?.flatten();
    Some(SessionDetails { subject, priority: Priority::from_store(priority), tags: Tags::parse(tags).ok()? })
}

impl MessagePayload<'_> {
    fn read(self, session_id: SessionId, seq: Seq) -> Option<ChatMessage> {
        Some(ChatMessage {
            id: MessageId::parse(&self.id)?,
            session_id,
            seq,
            author: UserId::parse(&self.author).ok()?,
            sender: Party::from_store(&self.sender),
            content: Content::from_store(self.content.into_owned()),
            sent_at: Timestamp::from_unix_ms(self.sent_at),
            delivery: Delivery::from_moments(
                self.delivered_at.map(Timestamp::from_unix_ms),
                self.read_at.map(Timestamp::from_unix_ms),
            ),
            attachments: self.attachments.iter().map(AttachmentPayload::read).collect::<Option<_>>()?,
        })
    }
}

impl AttachmentPayload<'_> {
    fn read(&self) -> Option<Attachment> {
        Some(Attachment {
            id: AttachmentId::parse(&self.id)?,
            name: FileName::sanitize(&self.name),
            object: StoredObject {
                size: self.size,
                sha256: self.sha256,
                media_type: MediaType::parse(&self.media_type)?,
                metadata: MediaMetadata { width: self.width, height: self.height, duration: self.duration },
            },
            dominant_color: self.dominant_color.and_then(Color::from_number),
        })
    }
}

impl ReceiptPayload<'_> {
    fn read(&self) -> Option<Receipt> {
        let statuses = [ReceiptStatus::Delivered, ReceiptStatus::Read];
        Some(Receipt {
            reader: UserId::parse(&self.reader).ok()?,
            status: statuses.into_iter().find(|status| status.as_str() == self.status)?,
            up_to: Seq::new(self.up_to),
            messages: self.messages.iter().map(|id| MessageId::parse(id)).collect::<Option<_>>()?,
        })
    }
}
