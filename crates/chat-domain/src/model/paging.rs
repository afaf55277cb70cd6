//! Parts of lists: what is asked for and what comes back.

use super::{AgentId, ChatMessage, ChatSession, MessageId, Seq, UserId};

/// How many items a page has: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u32);

impl PageLimit {
    /// The most items a page has.
    pub const MAX: u32 = 100;
    /// What a list of sessions gives unless told.
    pub const SESSIONS: Self = Self(20);
    /// What a list of messages gives unless told.
    pub const MESSAGES: Self = Self(50);

    /// Takes a wish of at least 1 and grants at most 100; `None` for 0.
    pub fn clamped(wish: u64) -> Option<Self> {
        let granted = wish.min(u64::from(Self::MAX));
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
    /// Those assigned to this agent, and the active ones that nobody has.
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

/// Which stage of life a list is limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusFilter {
    /// Sessions that take messages.
    Active,
    /// Sessions that ended.
    Closed,
}

impl StatusFilter {
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

/// A part of the list of sessions, newest `started_at` first, ties by descending id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionQuery {
    /// Which sessions the asker may see.
    pub visible: Visibility,
    /// Which stage, if not both.
    pub status: Option<StatusFilter>,
    /// Which page.
    pub page: PageNumber,
    /// Of how many.
    pub limit: PageLimit,
}

/// A page of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions of the page.
    pub sessions: Vec<ChatSession>,
    /// How many there are on all pages.
    pub total: u64,
    /// The page's number.
    pub page: PageNumber,
    /// How many sessions a full page has.
    pub limit: PageLimit,
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

/// What came of the wish for a page.
#[derive(Clone, Debug, PartialEq)]
pub enum PageRead {
    /// The page.
    Page(MessagePage),
    /// The session is still at the position that the asker knows, so the page is the one that the asker has.
    Unchanged,
    /// The cursor is not a message of this session.
    NoSuchMessage,
}

impl PageRead {
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
    pub page: PageRead,
}
