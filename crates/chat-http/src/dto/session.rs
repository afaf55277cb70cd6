//! Sessions on the wire.

use chat_domain::error::{Input, Invalid, Violation};
use chat_domain::model::{
    AgentId, ChatSession, DetailsUpdate, KnownPeople, Priority, SessionId, SessionPage, SessionPosition, SessionStatus,
    Subject, Tags, Timestamp, UserId,
};
use chat_domain::service::CreateSession;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PersonDto;
use super::wire::{display, display_or_null, null_is_a_value};
use crate::problems::Problems;
use crate::session_cursor;

/// Whether a session takes messages.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SessionStatus)]
pub(crate) enum SessionStatusDto {
    /// It takes messages.
    Active,
    /// It has ended.
    Closed,
}

impl From<SessionStatus> for SessionStatusDto {
    fn from(status: SessionStatus) -> Self {
        match status {
            SessionStatus::Active => Self::Active,
            SessionStatus::Closed => Self::Closed,
        }
    }
}

/// How urgent a session is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Priority)]
pub(crate) enum PriorityDto {
    /// It can wait.
    Low,
    /// The default.
    Medium,
    /// Before the others.
    High,
}

impl From<Priority> for PriorityDto {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Low => Self::Low,
            Priority::Medium => Self::Medium,
            Priority::High => Self::High,
        }
    }
}

/// A support conversation between one customer and the support desk.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChatSession)]
pub(crate) struct SessionDto<'a> {
    /// Opaque.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, example = "019370d0-6e1b-7c40-8a52-1f0e5d1f7a11")]
    id: SessionId,
    /// The customer it belongs to.
    #[schema(example = "alice")]
    user_id: &'a str,
    /// Who answers; `null` while it waits.
    #[schema(required, example = json!(null))]
    agent_id: Option<&'a str>,
    /// The customer it belongs to. Absent in base mode of the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    user: Option<PersonDto<'a>>,
    /// Who answers; `null` while it waits. Absent in base mode of the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PersonDto<'a>>, required = false)]
    #[expect(clippy::option_option, reason = "the outer level is presence, the inner one null")]
    agent: Option<Option<PersonDto<'a>>>,
    /// Whether it takes messages.
    status: SessionStatusDto,
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:00.120Z")]
    started_at: Timestamp,
    /// RFC 3339 in UTC with milliseconds; `null` while it is active.
    #[serde(serialize_with = "display_or_null")]
    #[schema(value_type = Option<String>, required, format = DateTime, example = json!(null))]
    ended_at: Option<Timestamp>,
    /// What it is about, 1 to 200 characters; absent when unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 200, example = "My order is late")]
    subject: Option<&'a str>,
    /// How urgent it is.
    priority: PriorityDto,
    /// Up to 20 labels of up to 50 characters.
    #[schema(max_items = 20, example = json!(["orders"]))]
    tags: &'a [String],
}

impl<'a> SessionDto<'a> {
    /// The session, with what is known of its people.
    pub(crate) fn new(session: &'a ChatSession, people: &'a KnownPeople) -> Self {
        let status = if session.is_active() { SessionStatusDto::Active } else { SessionStatusDto::Closed };
        Self {
            id: session.id,
            user_id: session.owner.as_str(),
            agent_id: session.agent().map(AgentId::as_str),
            user: Some(PersonDto::new(&session.owner, people)),
            agent: Some(session.agent().map(|id| PersonDto::with(id.as_str(), &UserId::from(id), people))),
            status,
            started_at: session.started_at,
            ended_at: session.ended_at(),
            subject: session.subject.as_ref().map(Subject::as_str),
            priority: session.priority.into(),
            tags: session.tags.as_slice(),
        }
    }

    /// The session as the API's first description has it, for base mode of the socket.
    pub(crate) fn plain(self) -> Self {
        Self { user: None, agent: None, ..self }
    }
}

/// A page of sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChatSessionList)]
pub(crate) struct SessionListDto<'a> {
    /// At most 100, newest first.
    #[schema(max_items = 100)]
    sessions: Vec<SessionDto<'a>>,
    /// How many sessions the caller may see under this filter.
    #[schema(example = 1)]
    total_count: u64,
    /// The number of this page; `null` when it was asked for with a `cursor`.
    #[schema(required, minimum = 1, example = 1)]
    page: Option<u64>,
    /// 0 when there are no sessions.
    #[schema(example = 1)]
    total_pages: u64,
    /// The `cursor` of the page after this one; `null` on the last page. Opaque.
    #[schema(required, max_length = 34, example = json!(null))]
    next_cursor: Option<String>,
}

impl<'a> SessionListDto<'a> {
    /// The page, with what is known of the people of its sessions.
    pub(crate) fn new(page: &'a SessionPage, people: &'a KnownPeople) -> Self {
        Self {
            sessions: page.sessions.iter().map(|session| SessionDto::new(session, people)).collect(),
            total_count: page.total,
            page: match page.position {
                SessionPosition::Page(number) => Some(number.get()),
                SessionPosition::After(_) => None,
            },
            total_pages: page.total_pages(),
            next_cursor: page.next.map(session_cursor::encode),
        }
    }
}

/// A label of a session, 1 to 50 characters without white space around them.
#[derive(ToSchema)]
#[schema(as = Tag, value_type = String, min_length = 1, max_length = 50, pattern = r"^[^\x00]*[^\x00\s][^\x00]*$")]
#[expect(dead_code, reason = "describes what is read as text")]
struct TagDto(String);

/// What to open a session with. All fields may be left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CreateChatSession, example = json!({ "subject": "My order is late", "priority": "medium", "tags": ["orders"] }))]
pub(crate) struct CreateSessionBody {
    /// What it is about, at most 200 characters.
    #[schema(max_length = 200, pattern = r"^[^\x00]*$", example = "My order is late")]
    subject: Option<String>,
    /// How urgent it is, `medium` by default.
    #[schema(value_type = Option<PriorityDto>)]
    priority: Option<String>,
    /// Up to 20 labels of up to 50 characters.
    #[schema(value_type = Option<Vec<TagDto>>, max_items = 20, example = json!(["orders"]))]
    tags: Option<Vec<String>>,
    /// The customer, when an admin opens the session for them; for everyone else their own id or nothing.
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\x00-\x1F\x7F-\x9F\s][^\x00-\x1F\x7F-\x9F]*$",
        example = "alice"
    )]
    user_id: Option<String>,
}

impl CreateSessionBody {
    /// The field that names the owner.
    pub(crate) const OWNER: &str = "userId";

    pub(crate) fn parse(self) -> Input<CreateSession> {
        let mut problems = Problems::default();
        let owner = self.user_id.and_then(|id| problems.check(Self::OWNER, UserId::parse(&id)));
        let subject = self.subject.and_then(|text| problems.check("subject", Subject::parse(&text)).flatten());
        let priority = self.priority.and_then(|name| problems.check("priority", Priority::parse(&name)));
        let tags = self.tags.and_then(|tags| problems.check("tags", Tags::parse(tags)));
        problems.or(CreateSession {
            owner,
            subject,
            priority: priority.unwrap_or_default(),
            tags: tags.unwrap_or_default(),
        })
    }
}

/// What to change of a session; what is left out stays as it is. Other fields are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateChatSession, example = json!({ "subject": "Refund of my order", "priority": "high", "tags": ["orders", "refund"] }))]
pub(crate) struct UpdateSessionBody {
    /// What it is about, at most 200 characters; `null` or a blank text clears it.
    #[serde(default, deserialize_with = "null_is_a_value")]
    #[schema(value_type = Option<String>, max_length = 200, pattern = r"^[^\x00]*$", example = "Refund of my order")]
    #[expect(clippy::option_option, reason = "the outer level is presence, the inner one null")]
    subject: Option<Option<String>>,
    /// How urgent it is.
    #[serde(default, deserialize_with = "null_is_a_value")]
    #[schema(value_type = PriorityDto, required = false)]
    #[expect(clippy::option_option, reason = "the outer level is presence, the inner one null")]
    priority: Option<Option<String>>,
    /// Up to 20 labels of up to 50 characters, in place of all of before.
    #[serde(default, deserialize_with = "null_is_a_value")]
    #[schema(value_type = Vec<TagDto>, required = false, max_items = 20, example = json!(["orders", "refund"]))]
    #[expect(clippy::option_option, reason = "the outer level is presence, the inner one null")]
    tags: Option<Option<Vec<String>>>,
}

impl UpdateSessionBody {
    pub(crate) fn parse(self) -> Input<DetailsUpdate> {
        let not_null = || Violation::new("must not be null");
        let mut problems = Problems::default();
        let subject = self.subject.and_then(|text| match text {
            Some(text) => problems.check("subject", Subject::parse(&text)),
            None => Some(None),
        });
        let priority = self.priority.map(|name| name.ok_or_else(not_null).and_then(|name| Priority::parse(&name)));
        let priority = priority.and_then(|priority| problems.check("priority", priority));
        let tags = self.tags.map(|tags| tags.ok_or_else(not_null).and_then(Tags::parse));
        let tags = tags.and_then(|tags| problems.check("tags", tags));
        problems.or(DetailsUpdate { subject, priority, tags })
    }
}

/// Who is to answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AssignAgent)]
pub(crate) struct AssignBody {
    /// An active agent of the directory; an agent who claims a session gives their own id.
    #[schema(
        required,
        nullable = false,
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\x00-\x1F\x7F-\x9F\s][^\x00-\x1F\x7F-\x9F]*$",
        example = "bob"
    )]
    agent_id: Option<String>,
}

impl AssignBody {
    pub(crate) fn parse(self) -> Input<AgentId> {
        let id = self.agent_id.ok_or_else(|| Invalid::new("agentId", "is required"))?;
        AgentId::parse(&id).map_err(|rule| rule.of("agentId"))
    }
}

/// Who is to take over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TransferChatSession)]
pub(crate) struct TransferBody {
    /// An active agent of the directory, or `null` to hand the session back to the queue.
    #[serde(default, deserialize_with = "null_is_a_value")]
    #[schema(value_type = Option<String>, required, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\x00-\x1F\x7F-\x9F\s][^\x00-\x1F\x7F-\x9F]*$", example = "carol")]
    #[expect(clippy::option_option, reason = "the outer level is presence, the inner one null")]
    agent_id: Option<Option<String>>,
}

impl TransferBody {
    pub(crate) fn parse(self) -> Input<Option<AgentId>> {
        let rule = "is required; null hands the session back to the queue";
        let to = self.agent_id.ok_or_else(|| Invalid::new("agentId", rule))?;
        to.map(|id| AgentId::parse(&id).map_err(|rule| rule.of("agentId"))).transpose()
    }
}
