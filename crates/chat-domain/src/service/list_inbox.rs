//! List a view of the inbox.

use super::ChatService;
use crate::error::{Input, Result};
use crate::inbox::{InboxFilter, InboxKey, InboxOwner, InboxPage, InboxQuery, InboxView};
use crate::model::{PageLimit, Principal};
use crate::policy::{self, Action};

/// What of a view is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRequest {
    /// Which view.
    pub view: InboxView,
    /// Which of its sessions.
    pub filter: InboxFilter,
    /// The place after which the page begins.
    pub after: Option<InboxKey>,
    /// How many sessions it has at most.
    pub limit: PageLimit,
}

impl ChatService {
    /// A page of a view of the inbox of `who`, and its counts. `view` is the view that is asked for, if there is such a
    /// view: whether `who` may see it is decided before the rest of the input is checked.
    pub async fn list_inbox(
        &self,
        who: &Principal,
        view: Option<InboxView>,
        input: Input<InboxRequest>,
    ) -> Result<InboxPage> {
        if let Some(view) = view {
            policy::authorize(who, &Action::SeeInbox(view))?;
        }
        let InboxRequest { view, filter, after, limit } = input?;
        policy::authorize(who, &Action::SeeInbox(view))?;
        let owner = InboxOwner::of(who);
        self.ports.sessions.inbox(&InboxQuery { owner, view, filter, after, limit }).await
    }
}
