//! The inbox beside what an older version has written.

use chat_domain::inbox::InboxView;
use chat_domain::ports::MessageRepository as _;
use chat_sqlite::{SqliteStore, migrate};
use chat_testkit::fixtures::{bob, draft, session_id};
use chat_testkit::inbox_pages::{self, all_first_pages, as_filled, first_page, ids};

use crate::support::Place;

async fn fill(store: &SqliteStore) {
    inbox_pages::fill(store.sessions.as_ref(), store.messages.as_ref(), store.agents.as_ref()).await;
}

#[tokio::test]
async fn sessions_from_before_the_inbox_are_in_it() {
    let place = Place::migrated();
    let store = place.open().await;
    fill(&store).await;
    let before = all_first_pages(store.sessions.as_ref()).await;
    store.close().await;
    let status = migrate::status(place.path()).unwrap();
    let kept = status.iter().position(|migration| migration.name.ends_with("_inbox")).unwrap();
    migrate::down(place.path(), status.len() - kept).unwrap();
    migrate::up(place.path()).unwrap();

    let store = place.open().await;
    assert_eq!(all_first_pages(store.sessions.as_ref()).await, as_filled(before));
    assert_eq!(ids(store.sessions.as_ref(), &bob(), InboxView::Mine).await, [4, 5].map(session_id));
    // From the next message on, the row has it.
    let sent = store.messages.append(draft(session_id(5), &bob(), 99)).await.unwrap().message;
    let newest = first_page(store.sessions.as_ref(), &bob(), InboxView::Mine).await.sessions.remove(0).latest;
    assert_eq!((newest.activity_at, newest.message.unwrap().id), (sent.sent_at, sent.id));
    store.close().await;
}
