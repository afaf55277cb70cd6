//! The inbox beside what an older version has written.

use std::sync::Arc;

use chat_domain::inbox::InboxView;
use chat_domain::ports::MessageRepository as _;
use chat_postgres::{PgConfig, PgStore, migrate};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{alice, at, bob, draft, root, session_id};
use chat_testkit::inbox_pages::{self, all_first_pages, as_filled, first_page, ids};
use test_servers::postgres::TestDatabase;

use crate::support::{eventually, migrated, reused, undisturbed};

async fn open(database: &TestDatabase) -> PgStore {
    PgStore::open(PgConfig::new(database.url()), Arc::new(RecordingNotifier::new())).await.unwrap()
}

async fn fill(store: &PgStore) {
    inbox_pages::fill(store.sessions.as_ref(), store.messages.as_ref(), store.agents.as_ref()).await;
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn sessions_from_before_the_inbox_are_in_it() {
    let database = migrated();
    let store = open(&database).await;
    fill(&store).await;
    let before = all_first_pages(store.sessions.as_ref()).await;
    store.close().await;
    let status = migrate::status(database.url()).unwrap();
    let kept = status.iter().position(|migration| migration.name.ends_with("_inbox")).unwrap();
    migrate::down(database.url(), status.len() - kept).unwrap();
    migrate::up(database.url()).unwrap();

    let store = open(&database).await;
    assert_eq!(database.sql("SELECT count(*) FROM chat_sessions WHERE last_message IS NOT NULL"), "0");
    assert_eq!(all_first_pages(store.sessions.as_ref()).await, as_filled(before));
    // From the next message on, the row has it.
    let sent = store.messages.append(draft(session_id(4), &bob(), 99)).await.unwrap().message;
    let newest = first_page(store.sessions.as_ref(), &bob(), InboxView::Mine).await.sessions.remove(0).latest;
    assert_eq!((newest.activity_at, newest.message.unwrap().id), (sent.sent_at, sent.id));
    assert_eq!(database.sql("SELECT count(*) FROM chat_sessions WHERE last_message IS NOT NULL"), "1");
    store.close().await;
}

/// What a node of the version before does to the rows: it leaves the columns of the inbox as they are.
#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn sessions_that_an_older_node_writes_are_in_the_inbox() {
    let database = reused();
    let store = open(&database).await;
    fill(&store).await;
    // A message in 4, which is bob's; 2 is given to bob, and 5 back to the queue; 1 is closed; 7 is opened.
    let id = session_id;
    database.sql(&format!(
        "BEGIN;
         INSERT INTO chat_messages (session_id, seq, id, author_id, sender, content, created_at, attachment_count)
             SELECT id, last_seq + 1, gen_random_uuid(), 'alice', 'user', 'by an older node', {later}, 0
             FROM chat_sessions WHERE id = '{four}';
         UPDATE chat_sessions SET last_seq = last_seq + 1, message_count = message_count + 1, last_event_at = {later},
             unread_by_support = unread_by_support + 1 WHERE id = '{four}';
         UPDATE chat_sessions SET last_seq = last_seq + 1, agent_id = 'bob' WHERE id = '{two}';
         UPDATE chat_sessions SET last_seq = last_seq + 1, agent_id = NULL WHERE id = '{five}';
         UPDATE chat_sessions SET last_seq = last_seq + 1, status = 'closed', ended_at = {later} WHERE id = '{one}';
         INSERT INTO chat_sessions (id, user_id, status, priority, tags, started_at, last_seq, message_count,
                 unread_by_user, unread_by_support, user_delivered_seq, support_delivered_seq, created_by)
             VALUES ('{seven}', 'alice', 'active', 'high', '[]', {later}, 1, 0, 0, 0, 0, 0, 'alice');
         COMMIT",
        later = at(90).unix_ms(),
        one = id(1),
        two = id(2),
        four = id(4),
        five = id(5),
        seven = id(7),
    ));
    assert_eq!(ids(store.sessions.as_ref(), &bob(), InboxView::Mine).await, [4, 2].map(id));
    let newest = first_page(store.sessions.as_ref(), &bob(), InboxView::Mine).await.sessions.remove(0);
    let message = newest.latest.message.clone().unwrap();
    assert_eq!((message.preview.as_str(), message.at, newest.latest.activity_at), ("by an older node", at(90), at(90)));
    let waiting = ids(store.sessions.as_ref(), &bob(), InboxView::Waiting).await;
    assert_eq!(waiting.first(), Some(&id(7)));
    assert_eq!(waiting.iter().copied().collect::<std::collections::BTreeSet<_>>(), [3, 5, 7].map(id).into());
    assert_eq!(ids(store.sessions.as_ref(), &alice(), InboxView::Closed).await, [1, 6].map(id));
    assert_eq!(ids(store.sessions.as_ref(), &alice(), InboxView::Mine).await[5..], [1, 6].map(id));
    // A receipt leaves it to be looked up; a message puts it right.
    store.messages.mark_read_up_to(id(4), root(), newest.progress.last_seq, at(91)).await.unwrap();
    let shown = first_page(store.sessions.as_ref(), &bob(), InboxView::Mine).await.sessions.remove(0).latest.message;
    assert_eq!(shown.unwrap(), message);
    let sent = store.messages.append(draft(id(4), &bob(), 99)).await.unwrap().message;
    let shown =
        first_page(store.sessions.as_ref(), &bob(), InboxView::Mine).await.sessions.remove(0).latest.message.unwrap();
    assert_eq!((shown.id, shown.number), (sent.id, 3));
    store.close().await;
}

/// Sending touches no index of the sessions: each new version of a row stays on the page of the old one.
#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn messages_in_an_assigned_session_move_no_index() {
    let (_server, database) = undisturbed();
    let store = open(&database).await;
    fill(&store).await;
    for n in 100..140 {
        store.messages.append(draft(session_id(4), &alice(), n)).await.unwrap();
    }
    store.close().await;
    let figure = |column: &str| -> i64 {
        let figure = format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = 'chat_sessions'");
        database.sql(&figure).parse().unwrap()
    };
    // The servers of the writers' connections tell what they did when they end. Before the 40 messages 7 were sent, and 3
    // changes of the state took two updates each.
    eventually("the statistics of all updates", async || figure("n_tup_upd") == 40 + 7 + 6).await;
    let moved = figure("n_tup_upd - n_tup_hot_upd");
    // A few go to another page, because theirs is full of versions that no one has cleared away yet.
    assert!(moved <= 7 + 6 + 10, "{moved} updates have moved an index");
}
