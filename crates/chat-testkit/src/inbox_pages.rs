//! Sessions of all kinds, and what everyone's inbox shows of them: for tests of a store beside what other versions of it
//! have written.

use chat_domain::inbox::{InboxFilter, InboxOwner, InboxPage, InboxQuery, InboxView};
use chat_domain::model::{NewSession, PageLimit, Principal, Priority, SessionAction, SessionId};
use chat_domain::ports::{AgentDirectory, MessageRepository, SessionRepository};

use crate::fixtures::{agent_id, alice, assign, at, bob, change, draft, new_session, root, session_id};

/// Fills an empty store: 1 waits without a message, 2 since a message, 3 was answered; 4 and 5 are Bob's, 6 has ended.
pub async fn fill(sessions: &dyn SessionRepository, messages: &dyn MessageRepository, agents: &dyn AgentDirectory) {
    agents.register(agent_id(&bob()), None, at(0)).await.unwrap();
    for n in 1..=6 {
        let opened = NewSession { priority: Priority::Low, ..new_session(n) };
        sessions.open(opened, alice(), None).await.unwrap();
    }
    for (n, author) in [(2, alice()), (3, alice()), (3, root()), (5, alice()), (5, root()), (4, alice()), (6, alice())]
    {
        let number = n * 10 + u64::from(author == root());
        messages.append(draft(session_id(n), &author, number)).await.unwrap();
    }
    for n in [4, 5] {
        sessions.change(session_id(n), change(&root(), assign(&bob()), 70 - n)).await.unwrap();
    }
    sessions.change(session_id(6), change(&root(), SessionAction::Close, 80)).await.unwrap();
}

/// The first page of a view.
pub async fn first_page(sessions: &dyn SessionRepository, who: &Principal, view: InboxView) -> InboxPage {
    let (owner, filter) = (InboxOwner::of(who), InboxFilter::default());
    sessions.inbox(&InboxQuery { owner, view, filter, after: None, limit: PageLimit::INBOX }).await.unwrap()
}

/// The sessions of the first page of a view.
pub async fn ids(sessions: &dyn SessionRepository, who: &Principal, view: InboxView) -> Vec<SessionId> {
    first_page(sessions, who, view).await.sessions.iter().map(|session| session.id).collect()
}

/// The first pages of all views of a customer, an agent and an admin.
pub async fn all_first_pages(sessions: &dyn SessionRepository) -> Vec<InboxPage> {
    let mut pages = Vec::new();
    for who in [alice(), bob(), root()] {
        for view in InboxView::ALL.into_iter().filter(|view| view.is_for(who.role)) {
            pages.push(first_page(sessions, &who, view).await);
        }
    }
    pages
}

/// The pages as they are after a migration has filled the columns of the inbox: a session that had ended shows its end as
/// its activity.
pub fn as_filled(mut pages: Vec<InboxPage>) -> Vec<InboxPage> {
    for session in pages.iter_mut().flat_map(|page| &mut page.sessions) {
        session.latest.activity_at = session.ended_at().unwrap_or(session.latest.activity_at);
    }
    pages
}
