//! Why a socket ends.

use chat_domain::ports::StreamCloseReason;

use crate::socket_protocol::{CloseCode, MalformedFrame};

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketCloseReason {
    /// The server closes it with a close frame.
    Close(CloseCode),
    /// The server closes it because its person was signed out.
    SignedOut,
    /// The server closes it because the identity provider has removed the key that signed its token.
    KeyRemoved,
    /// The server closes it because its person was blocked.
    Blocked,
    /// The server closes it because its person is an agent who was deactivated.
    AgentDeactivated,
    /// The server closes it because of a text frame of the client.
    Malformed(MalformedFrame),
    /// The connection was lost without a close frame.
    PeerGone,
}

impl SocketCloseReason {
    /// The code of the close frame; `None` without one.
    pub(super) fn code(self) -> Option<CloseCode> {
        match self {
            Self::Close(code) => Some(code),
            Self::SignedOut | Self::KeyRemoved => Some(CloseCode::TokenExpired),
            Self::Blocked | Self::AgentDeactivated => Some(CloseCode::AccessLost),
            Self::Malformed(_) => Some(CloseCode::BadFrame),
            Self::PeerGone => None,
        }
    }

    /// Why a socket closes whose subscription has been closed.
    pub(super) fn of_stream(reason: StreamCloseReason, opened_while_draining: bool) -> Self {
        match reason {
            StreamCloseReason::SignedOut => Self::SignedOut,
            StreamCloseReason::Blocked => Self::Blocked,
            StreamCloseReason::AgentDeactivated => Self::AgentDeactivated,
            StreamCloseReason::AccessLost => CloseCode::AccessLost.into(),
            StreamCloseReason::SessionGone => CloseCode::Gone.into(),
            StreamCloseReason::Replaced => CloseCode::Replaced.into(),
            StreamCloseReason::NodeStopping if opened_while_draining => CloseCode::Restarting.into(),
            StreamCloseReason::NodeStopping => CloseCode::GoingAway.into(),
        }
    }

    /// Whether it ends a socket with many subscriptions: if not, it ends one of them.
    pub(super) fn ends_socket(self) -> bool {
        match self {
            Self::Close(code) => !code.is_of_session(),
            Self::SignedOut
            | Self::KeyRemoved
            | Self::Blocked
            | Self::AgentDeactivated
            | Self::Malformed(_)
            | Self::PeerGone => true,
        }
    }

    /// Whether the person has no access to anything any more, or it is not certain that it is this person: nothing that
    /// waits is shown to them, and nothing that they have confirmed is recorded.
    pub(super) fn ends_access(self) -> bool {
        matches!(self, Self::SignedOut | Self::KeyRemoved | Self::Blocked | Self::AgentDeactivated)
    }

    /// The reason in the close frame: ASCII, and nothing that a user wrote.
    pub(super) fn text(self) -> String {
        match self {
            Self::Close(code) => code.reason().to_owned(),
            Self::SignedOut => "signed out".to_owned(),
            Self::KeyRemoved => "key removed".to_owned(),
            Self::Blocked => "blocked".to_owned(),
            Self::AgentDeactivated => CloseCode::AccessLost.reason().to_owned(),
            Self::Malformed(defect) => format!("{}: {defect}", CloseCode::BadFrame.reason()),
            Self::PeerGone => String::new(),
        }
    }
}

impl From<MalformedFrame> for SocketCloseReason {
    fn from(defect: MalformedFrame) -> Self {
        Self::Malformed(defect)
    }
}

impl From<CloseCode> for SocketCloseReason {
    fn from(code: CloseCode) -> Self {
        Self::Close(code)
    }
}
