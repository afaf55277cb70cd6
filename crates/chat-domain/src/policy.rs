//! Who may do what: one pure function. A use case that only reads asks it itself; a use case that changes a session
//! leaves that to the decision about the write (`write`), which asks on the facts of the batch.
//!
//! | action | user | agent | admin |
//! |---|---|---|---|
//! | open a session | for themself | no | for anyone |
//! | see | own | assigned to them, or unassigned and active | all |
//! | send, mark read, type, close | own | assigned to them | all |
//! | assign | no | an unassigned session to themself | any |
//! | transfer, update | no | a session assigned to them | all |
//! | list the agents | no | yes | yes |
//! | set one's availability | no | yes | no |
//! | inbox | `mine`, `closed` | `mine`, `waiting`, `closed` | `waiting`, `assigned`, `closed` |
//! | statistics, manage agents, people | no | no | yes |

use crate::error::Refusal;
use crate::inbox::InboxView;
use crate::model::{AgentId, ChatSession, Principal, Role, SessionAction, UserId, Visibility};

/// Something a person wants to do, with what they want to do it to.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Open a session that will belong to this person.
    OpenSession(&'a UserId),
    /// See a session, its messages and its attachments, and subscribe to it.
    See(&'a ChatSession),
    /// Add a message.
    SendMessage(&'a ChatSession),
    /// Mark messages as read.
    MarkRead(&'a ChatSession),
    /// Show that they are typing.
    ShowTyping(&'a ChatSession),
    /// End a session.
    Close(&'a ChatSession),
    /// Assign sessions at all, whatever the session and the agent.
    AssignAnything,
    /// Give a session to this agent. Whether an agent has it already is a matter of its state, not of rights: two
    /// agents who race for a session learn that it is taken, not that they are not allowed.
    Assign(&'a AgentId),
    /// Hand a session over, or back to the queue.
    Transfer(&'a ChatSession),
    /// Change what a session is about.
    Update(&'a ChatSession),
    /// See this view of their own inbox.
    SeeInbox(InboxView),
    /// Read the statistics.
    SeeStatistics,
    /// List the agents.
    ListAgents,
    /// Set their own availability.
    SetAvailability,
    /// Enter, change and deactivate agents.
    ManageAgents,
    /// Sign people out, block and unblock them.
    ManagePeople,
}

impl<'a> Action<'a> {
    /// The action behind a change of a session.
    pub fn change(action: &'a SessionAction, session: &'a ChatSession) -> Self {
        match action {
            SessionAction::Assign(agent) => Self::Assign(agent),
            SessionAction::Transfer(_) => Self::Transfer(session),
            SessionAction::Update(_) => Self::Update(session),
            SessionAction::Close => Self::Close(session),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::OpenSession(_) => "create this session",
            Self::See(_) => "see this session",
            Self::SendMessage(_) => "send messages in this session",
            Self::MarkRead(_) => "mark messages of this session as read",
            Self::ShowTyping(_) => "send typing events in this session",
            Self::Close(_) => "close this session",
            Self::AssignAnything | Self::Assign(_) => "assign this session",
            Self::Transfer(_) => "transfer this session",
            Self::Update(_) => "change this session",
            Self::SeeInbox(_) => "see this view of the inbox",
            Self::SeeStatistics => "see the statistics",
            Self::ListAgents => "list agents",
            Self::SetAvailability => "set an availability",
            Self::ManageAgents => "manage agents",
            Self::ManagePeople => "end or restore the access of people",
        }
    }
}

/// Whether `who` may do `action`.
///
/// # Errors
/// A `Refusal` that names the action.
pub fn authorize(who: &Principal, action: &Action<'_>) -> Result<(), Refusal> {
    let allowed = match who.role {
        Role::Admin => admin_may(action),
        Role::Agent => agent_may(&who.id, action),
        Role::User => user_may(&who.id, action),
    };
    if allowed { Ok(()) } else { Err(Refusal::NotAllowed(action.name())) }
}

/// All but what makes no sense for them.
fn admin_may(action: &Action<'_>) -> bool {
    match action {
        Action::SeeInbox(view) => view.is_for(Role::Admin),
        Action::SetAvailability => false,
        _ => true,
    }
}

fn user_may(me: &UserId, action: &Action<'_>) -> bool {
    match action {
        Action::OpenSession(owner) => *owner == me,
        Action::See(session)
        | Action::SendMessage(session)
        | Action::MarkRead(session)
        | Action::ShowTyping(session)
        | Action::Close(session) => session.owner == *me,
        Action::SeeInbox(view) => view.is_for(Role::User),
        Action::AssignAnything
        | Action::Assign(_)
        | Action::Transfer(_)
        | Action::Update(_)
        | Action::SeeStatistics
        | Action::ListAgents
        | Action::SetAvailability
        | Action::ManageAgents
        | Action::ManagePeople => false,
    }
}

fn agent_may(me: &UserId, action: &Action<'_>) -> bool {
    let mine = |session: &ChatSession| session.agent().is_some_and(|agent| *agent == *me);
    match action {
        Action::See(session) => Visibility::AssignedToOrWaiting(AgentId::from(me)).includes(session),
        Action::SendMessage(session)
        | Action::MarkRead(session)
        | Action::ShowTyping(session)
        | Action::Close(session)
        | Action::Transfer(session)
        | Action::Update(session) => mine(session),
        Action::AssignAnything | Action::ListAgents | Action::SetAvailability => true,
        Action::SeeInbox(view) => view.is_for(Role::Agent),
        Action::Assign(agent) => **agent == *me,
        Action::OpenSession(_) | Action::SeeStatistics | Action::ManageAgents | Action::ManagePeople => false,
    }
}

/// Which sessions `who` sees in a list: the same as `Action::See` allows one by one.
pub fn visible_sessions(who: &Principal) -> Visibility {
    match who.role {
        Role::User => Visibility::OwnedBy(who.id.clone()),
        Role::Agent => Visibility::AssignedToOrWaiting(AgentId::from(&who.id)),
        Role::Admin => Visibility::Everything,
    }
}
