//! What the handler of a handshake leaves on its response 101 for the take-over.

use chat_domain::model::Timestamp;
use chat_domain::service::{PersonalSocket, SessionSubscription};

use crate::base_url::BaseUrl;
use crate::socket_permits::SocketPermit;
use crate::socket_protocol::SocketMode;
use crate::state::App;

/// Everything that a socket needs of the request that asks for it. The request itself is not kept.
pub(crate) struct SocketPlan {
    pub(crate) app: App,
    pub(crate) mode: SocketMode,
    pub(crate) base: BaseUrl,
    pub(crate) subscriptions: PlannedSubscriptions,
    pub(crate) token_expires_at: Timestamp,
    /// The node was draining already when the client connected.
    pub(crate) opened_while_draining: bool,
    /// Counts the socket against the node's limit for as long as it is open.
    pub(crate) permit: SocketPermit,
}

/// What the socket is subscribed to.
pub(crate) enum PlannedSubscriptions {
    /// The session of its address.
    One(SessionSubscription),
    /// Nothing yet: its client asks for sessions.
    Many(PersonalSocket),
}
