//! Open a live inbox.

use super::ChatService;
use super::present_agents::PresentInbox;
use crate::error::Result;
use crate::inbox::{InboxFilter, InboxOwner, InboxPage, InboxQuery, InboxView};
use crate::model::{PageLimit, Principal};
use crate::policy::{self, Action};
use crate::ports::InboxStream;

/// An inbox that was opened.
pub struct OpenedInbox {
    /// The first page of each view.
    pub snapshots: Vec<(InboxView, InboxPage)>,
    /// What changes after them, in all of each view.
    pub updates: Box<dyn InboxStream>,
}

impl ChatService {
    /// Opens the inbox of `who` with these views. Together, the snapshots and the updates are the views as they are: what
    /// changes while a snapshot is read is in it or is an update. For as long as the updates are there, an agent counts as
    /// present.
    ///
    /// # Errors
    /// `Forbidden` when a view is not theirs.
    pub async fn open_inbox(&self, who: &Principal, views: Vec<InboxView>, limit: PageLimit) -> Result<OpenedInbox> {
        self.require_access(who)?;
        for view in &views {
            policy::authorize(who, &Action::SeeInbox(*view))?;
        }
        let owner = InboxOwner::of(who);
        // Before the snapshots: an update may repeat what they show, and nothing is missing.
        let mut updates = self.ports.inboxes.open(&who.id, owner.clone(), views.clone()).await?;
        let mut snapshots = Vec::with_capacity(views.len());
        for view in views {
            let owner = owner.clone();
            let query = InboxQuery { owner, view, filter: InboxFilter::default(), after: None, limit };
            let page = self.ports.sessions.inbox(&query).await?;
            updates.note_snapshot(view, &page.sessions);
            snapshots.push((view, page));
        }
        if let Some(agent) = who.agent() {
            updates = Box::new(PresentInbox { updates, _presence: self.present_agents.enter(agent) });
        }
        Ok(OpenedInbox { snapshots, updates })
    }
}
