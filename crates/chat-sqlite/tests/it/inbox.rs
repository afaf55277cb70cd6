//! The inbox beside what an older version has written.

use chat_domain::inbox::{InboxFilter, InboxOwner, InboxPage, InboxQuery, InboxView};
use chat_domain::model::{NewSession, PageLimit, Principal, Priority, SessionAction, SessionId};
use chat_domain::ports::{AgentDirectory as _, MessageRepository as _, SessionRepository as _};
use chat_sqlite::{SqliteStore, migrate};
use chat_testkit::fixtures::{agent_id, alice, assign, at, bob, change, draft, new_session, root, session_id};

use crate::support::Place;

async fn inbox(store: &SqliteStore, who: &Principal, view: InboxView) -> InboxPage {
    let (owner, filter) = (InboxOwner::of(who), InboxFilter::default());
    store.sessions.inbox(&InboxQuery { owner, view, filter, after: None, limit: PageLimit::INBOX }).await.unwrap()
}

async fn ids(store: &SqliteStore, who: &Principal, view: InboxView) -> Vec<SessionId> {
    inbox(store, who, view).await.sessions.iter().map(|session| session.id).collect()
}

/// Sessions of all kinds: 1 waits without a message, 2 since a message, 3 was answered; 4 and 5 are bob's, 6 has ended.
async fn fill(store: &SqliteStore) {
    store.agents.register(agent_id(&bob()), None, at(0)).await.unwrap();
    for n in 1..=6 {
        let opened = NewSession { priority: Priority::Low, ..new_session(n) };
        store.sessions.open(opened, alice(), None).await.unwrap();
    }
    for (n, author) in [(2, alice()), (3, alice()), (3, root()), (5, alice()), (5, root()), (4, alice()), (6, alice())]
    {
        let number = n * 10 + u64::from(author == root());
        store.messages.append(draft(session_id(n), &author, number)).await.unwrap();
    }
    for n in [4, 5] {
        store.sessions.change(session_id(n), change(&root(), assign(&bob()), 70 - n)).await.unwrap();
    }
    store.sessions.change(session_id(6), change(&root(), SessionAction::Close, 80)).await.unwrap();
}

const VIEWS: [InboxView; 4] = InboxView::ALL;

async fn everything(store: &SqliteStore) -> Vec<InboxPage> {
    let mut pages = Vec::new();
    for who in [alice(), bob(), root()] {
        for view in VIEWS.into_iter().filter(|view| view.is_for(who.role)) {
            pages.push(inbox(store, &who, view).await);
        }
    }
    pages
}

/// The pages as they are after the step has filled the columns: a session that had ended shows its end as its activity.
fn as_filled(mut pages: Vec<InboxPage>) -> Vec<InboxPage> {
    for session in pages.iter_mut().flat_map(|page| &mut page.sessions) {
        session.latest.activity_at = session.ended_at().unwrap_or(session.latest.activity_at);
    }
    pages
}

#[tokio::test]
async fn sessions_from_before_the_inbox_are_in_it() {
    let place = Place::migrated();
    let store = place.open().await;
    fill(&store).await;
    let before = everything(&store).await;
    store.close().await;
    let status = migrate::status(place.path()).unwrap();
    let kept = status.iter().position(|migration| migration.name.ends_with("_inbox")).unwrap();
    migrate::down(place.path(), status.len() - kept).unwrap();
    migrate::up(place.path()).unwrap();

    let store = place.open().await;
    assert_eq!(everything(&store).await, as_filled(before));
    assert_eq!(ids(&store, &bob(), InboxView::Mine).await, [4, 5].map(session_id));
    // From the next message on, the row has it.
    let sent = store.messages.append(draft(session_id(5), &bob(), 99)).await.unwrap().message;
    let newest = inbox(&store, &bob(), InboxView::Mine).await.sessions.remove(0).latest;
    assert_eq!((newest.activity_at, newest.message.unwrap().id), (sent.sent_at, sent.id));
    store.close().await;
}
