//! Parts of lists: what is asked for and what comes back.

use super::{AgentId, ChatMessage, ChatSession, MessageId, Seq, SessionId, Timestamp, UserId};

/// How many items a page has: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u32);

impl PageLimit {
    /// The most items a page has.
    pub const MAX: u32 = 100;
    /// The default for a list of sessions.
    pub const SESSIONS: Self = Self(20);
    /// The default for a view of an inbox.
    pub const INBOX: Self = Self(50);
    /// The default for a list of messages.
    pub const MESSAGES: Self = Self(50);

    /// Takes a number of at least 1 and grants at most 100; `None` for 0.
    pub fn clamped(requested: u64) -> Option<Self> {
        let granted = requested.min(u64::from(Self::MAX));
        u32::try_from(granted).ok().filter(|limit| *limit > 0).map(Self)
    }

    /// The number of items.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// A page's number, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageNumber(u64);

impl PageNumber {
    /// The first page.
    pub const FIRST: Self = Self(1);

    /// The page `number`; `None` for 0.
    pub fn new(number: u64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The page's number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// How many items stand before the page; `u64::MAX` when that is more than can be counted.
    pub fn offset(self, limit: PageLimit) -> u64 {
        (self.0 - 1).saturating_mul(u64::from(limit.get()))
    }
}

/// Which sessions a person may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Those that belong to this person.
    OwnedBy(UserId),
    /// Those assigned to this agent, and the active ones without an agent.
    AssignedToOrWaiting(AgentId),
    /// All.
    Everything,
}

impl Visibility {
    /// Whether `session` is among them.
    pub fn includes(&self, session: &ChatSession) -> bool {
        match self {
            Self::OwnedBy(user) => session.owner == *user,
            Self::AssignedToOrWaiting(me) => match session.agent() {
                Some(agent) => agent == me,
                None => session.is_active(),
            },
            Self::Everything => true,
        }
    }
}

/// Whether a session takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionStatus {
    /// Sessions that take messages.
    Active,
    /// Sessions that ended.
    Closed,
}

impl SessionStatus {
    /// The contract's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Closed => "closed",
        }
    }

    /// Whether `session` is in that stage.
    pub fn includes(self, session: &ChatSession) -> bool {
        (self == Self::Active) == session.is_active()
    }
}

/// The place of a session in a list. It never changes, so that a list can be continued after it, also when the session
/// is no longer in the list. Lists are in descending order of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionKey {
    /// When the session started.
    pub started_at: Timestamp,
    /// Its id, which decides between sessions that started at the same time.
    pub id: SessionId,
}

impl SessionKey {
    /// The key of `session`.
    pub fn of(session: &ChatSession) -> Self {
        Self { started_at: session.started_at, id: session.id }
    }
}

/// Where a page of sessions starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionPosition {
    /// After the pages before the one of this number.
    Page(PageNumber),
    /// Right after the session of this key, or where it would be.
    After(SessionKey),
}

impl SessionPosition {
    /// The key that all sessions of the page come after, if there is one.
    pub fn after(self) -> Option<SessionKey> {
        match self {
            Self::Page(_) => None,
            Self::After(key) => Some(key),
        }
    }

    /// How many sessions that come after that key stand before the page; `u64::MAX` when that is more than can be
    /// counted.
    pub fn offset(self, limit: PageLimit) -> u64 {
        match self {
            Self::Page(page) => page.offset(limit),
            Self::After(_) => 0,
        }
    }
}

/// A part of the list of sessions, newest `started_at` first, ties by descending id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionQuery {
    /// Which sessions the asker may see.
    pub visible: Visibility,
    /// Which stage, if not both.
    pub status: Option<SessionStatus>,
    /// Where the page starts.
    pub position: SessionPosition,
    /// How many sessions it has at most.
    pub limit: PageLimit,
}

impl SessionQuery {
    /// The page of these sessions, which are those of the list from the start of the page on, at least one more than
    /// fit on it if there are so many.
    pub fn page(&self, mut sessions: Vec<ChatSession>, total: u64) -> SessionPage {
        let fitting = self.limit.get() as usize;
        let has_more = sessions.len() > fitting;
        sessions.truncate(fitting);
        let next = sessions.last().filter(|_| has_more).map(SessionKey::of);
        SessionPage { sessions, total, position: self.position, limit: self.limit, next }
    }
}

/// A page of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions of the page.
    pub sessions: Vec<ChatSession>,
    /// How many there are on all pages.
    pub total: u64,
    /// Where the page starts.
    pub position: SessionPosition,
    /// How many sessions a full page has.
    pub limit: PageLimit,
    /// The key after which the list goes on; `None` on its last page.
    pub next: Option<SessionKey>,
}

impl SessionPage {
    /// How many pages there are; 0 when there are no sessions.
    pub fn total_pages(&self) -> u64 {
        self.total.div_ceil(u64::from(self.limit.get()))
    }
}

/// Where a page of messages starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageCursor {
    /// At the end: the newest messages.
    Newest,
    /// Right before this message, going back.
    Before(MessageId),
    /// Right after this message, going forward.
    After(MessageId),
}

/// A part of a session's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageQuery {
    /// Where it starts.
    pub cursor: MessageCursor,
    /// How many messages at most.
    pub limit: PageLimit,
    /// The position of the session as of which the asker already has this page. While the session is still there, the
    /// page is not read again.
    pub known: Option<Seq>,
}

/// A page of messages in ascending order.
#[derive(Clone, Debug, PartialEq)]
pub struct MessagePage {
    /// The messages, oldest first.
    pub messages: Vec<ChatMessage>,
    /// Whether there are more in the direction of travel: older ones, or newer ones after `After`.
    pub has_more: bool,
}

/// What reading a page returned.
#[derive(Clone, Debug, PartialEq)]
pub enum PageOutcome {
    /// The page.
    Page(MessagePage),
    /// The session is still at the position that the asker knows, so the asker has this page already.
    Unchanged,
    /// The cursor is not a message of this session.
    NoSuchMessage,
}

impl PageOutcome {
    /// The page, if it was read.
    pub fn page(self) -> Option<MessagePage> {
        match self {
            Self::Page(page) => Some(page),
            Self::Unchanged | Self::NoSuchMessage => None,
        }
    }
}

/// A session and a page of its messages as of its position.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionSnapshot {
    /// The session.
    pub session: ChatSession,
    /// The page.
    pub page: PageOutcome,
}
