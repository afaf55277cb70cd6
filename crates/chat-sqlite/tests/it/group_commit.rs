//! Group commit through the repositories: who shares a transaction with a failure, a full queue or an impatient caller
//! is not the worse for it.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::model::{MessageCursor, MessageId, MessageQuery, PageLimit, Seq, SessionAction, SessionId};
use chat_domain::ports::{EventLog as _, MessageRepository as _, SessionRepository as _, StatsReader as _};
use chat_sqlite::{SqliteConfig, SqliteStore};
use chat_testkit::fixtures;
use chat_testkit::latch::{is_waiting, latch};

use crate::support::Place;

async fn ids(store: &SqliteStore, session: SessionId) -> Vec<MessageId> {
    let query = MessageQuery { cursor: MessageCursor::Newest, limit: PageLimit::clamped(100).unwrap(), known: None };
    let page = store.messages.page(session, query).await.unwrap().unwrap().page.page().unwrap();
    page.messages.iter().map(|message| message.id).collect()
}

/// Starts `tasks` in order and lets each come as far as the queue.
macro_rules! queued {
    ($store:expr, $drafts:expr) => {{
        let mut tasks = Vec::new();
        for draft in $drafts {
            let messages = Arc::clone(&$store.messages);
            let mut task = Box::pin(async move { messages.append(draft).await });
            assert!(is_waiting(task.as_mut()).await, "the writer stands, so nothing is answered");
            tasks.push(task);
        }
        tasks
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_fails_in_the_database_fails_alone() {
    let place = Place::migrated();
    let (latch, holder) = latch();
    let store = place.open_with(SqliteConfig::new(place.path()), latch).await;
    let sessions = Arc::clone(&store.sessions);
    let opening = tokio::spawn(async move { sessions.open(fixtures::new_session(1), fixtures::alice(), None).await });
    holder.wait();
    let session = fixtures::new_session(1).id;
    let mut drafts: Vec<_> = (1..=9).map(|n| fixtures::draft(session, &fixtures::alice(), n)).collect();
    // The fifth repeats the id of the second, which no constraint of the domain forbids and the table does.
    drafts[4].id = drafts[1].id;
    let expected: Vec<MessageId> =
        drafts.iter().enumerate().filter(|(n, _)| *n != 4).map(|(_, draft)| draft.id).collect();
    let tasks = queued!(store, drafts);
    holder.release();
    opening.await.unwrap().unwrap();
    for (n, task) in tasks.into_iter().enumerate() {
        let answer = task.await;
        assert_eq!(answer.is_ok(), n != 4, "member {n}: {answer:?}");
        if n == 4 {
            assert!(matches!(answer, Err(ChatError::Internal(_))));
        }
    }
    assert_eq!(ids(&store, session).await, expected);
    assert_eq!(store.events.head(session).await.unwrap(), Some(Seq::new(9)));
    assert_eq!(store.stats.read().await.unwrap().messages, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_the_domain_refuses_leaves_nothing_in_the_batch() {
    let place = Place::migrated();
    let (latch, holder) = latch();
    let store = place.open_with(SqliteConfig::new(place.path()), latch).await;
    let sessions = Arc::clone(&store.sessions);
    let opening = tokio::spawn(async move { sessions.open(fixtures::new_session(1), fixtures::alice(), None).await });
    holder.wait();
    let session = fixtures::new_session(1).id;
    let drafts = [
        fixtures::draft(session, &fixtures::alice(), 1),
        fixtures::draft(session, &fixtures::bob(), 2),
        fixtures::draft(session, &fixtures::alice(), 3),
    ];
    let expected = [drafts[0].id, drafts[2].id];
    let mut tasks = queued!(store, drafts).into_iter();
    holder.release();
    opening.await.unwrap().unwrap();
    assert_eq!(tasks.next().unwrap().await.unwrap().message.seq, Seq::new(2));
    assert!(matches!(tasks.next().unwrap().await, Err(ChatError::Forbidden(_))));
    assert_eq!(tasks.next().unwrap().await.unwrap().message.seq, Seq::new(3));
    assert_eq!(ids(&store, session).await, expected);
    assert_eq!(store.stats.read().await.unwrap().messages, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_the_store_recovers() {
    let place = Place::migrated();
    let (latch, holder) = latch();
    let config = SqliteConfig { queue: 2, ..SqliteConfig::new(place.path()) };
    let store = place.open_with(config, latch).await;
    let sessions = Arc::clone(&store.sessions);
    let opening = tokio::spawn(async move { sessions.open(fixtures::new_session(1), fixtures::alice(), None).await });
    holder.wait();
    let session = fixtures::new_session(1).id;
    let waiting = queued!(store, (1..=2).map(|n| fixtures::draft(session, &fixtures::alice(), n)));
    let refused = store.messages.append(fixtures::draft(session, &fixtures::alice(), 3)).await;
    assert!(matches!(refused, Err(ChatError::Unavailable { .. })), "{refused:?}");
    holder.release();
    opening.await.unwrap().unwrap();
    for task in waiting {
        task.await.unwrap();
    }
    store.messages.append(fixtures::draft(session, &fixtures::alice(), 3)).await.unwrap();
    assert_eq!(ids(&store, session).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_has_not_begun_is_not_done_for_a_caller_who_has_gone() {
    let place = Place::migrated();
    let (latch, holder) = latch();
    let store = place.open_with(SqliteConfig::new(place.path()), latch).await;
    let sessions = Arc::clone(&store.sessions);
    let opening = tokio::spawn(async move { sessions.open(fixtures::new_session(1), fixtures::alice(), None).await });
    holder.wait();
    let session = fixtures::new_session(1).id;
    let drafts: Vec<_> = (1..=3).map(|n| fixtures::draft(session, &fixtures::alice(), n)).collect();
    let expected = [drafts[0].id, drafts[2].id];
    let mut tasks = queued!(store, drafts);
    // A client that was told that it takes too long may have sent the message again.
    drop(tasks.remove(1));
    holder.release();
    opening.await.unwrap().unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(ids(&store, session).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_finishes_what_waits_and_refuses_what_comes_later() {
    let place = Place::migrated();
    let (latch, holder) = latch();
    let store = Arc::new(place.open_with(SqliteConfig::new(place.path()), latch).await);
    let sessions = Arc::clone(&store.sessions);
    let opening = tokio::spawn(async move { sessions.open(fixtures::new_session(1), fixtures::alice(), None).await });
    holder.wait();
    let session = fixtures::new_session(1).id;
    let tasks = queued!(store, (1..=50).map(|n| fixtures::draft(session, &fixtures::alice(), n)));
    let closing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.close().await }
    });
    holder.release();
    opening.await.unwrap().unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    closing.await.unwrap();
    store.close().await;
    let late = store.messages.append(fixtures::draft(session, &fixtures::alice(), 51)).await;
    assert!(matches!(late, Err(ChatError::Unavailable { .. })), "{late:?}");
    assert_eq!(ids(&store, session).await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_one_batch_see_each_other() {
    let place = Place::migrated();
    let (latch, holder) = latch();
    let store = place.open_with(SqliteConfig::new(place.path()), latch).await;
    let first = Arc::clone(&store.sessions);
    let opening = tokio::spawn(async move { first.open(fixtures::new_session(1), fixtures::alice(), None).await });
    holder.wait();
    let session = fixtures::new_session(1).id;
    let mut tasks = queued!(store, [fixtures::draft(session, &fixtures::alice(), 1)]);
    let message = fixtures::draft(session, &fixtures::alice(), 1).id;
    let mut reading = Box::pin(store.messages.mark_read(session, fixtures::root(), vec![message], fixtures::start()));
    assert!(is_waiting(reading.as_mut()).await);
    let close = fixtures::change(&fixtures::alice(), SessionAction::Close, 5);
    let mut closing = Box::pin(store.sessions.change(session, close));
    assert!(is_waiting(closing.as_mut()).await);
    let late = queued!(store, [fixtures::draft(session, &fixtures::alice(), 2)]).remove(0);
    holder.release();
    opening.await.unwrap().unwrap();
    tasks.remove(0).await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap().messages, [message]);
    assert_eq!(closing.await.unwrap().progress.last_seq, Seq::new(4));
    assert!(matches!(late.await, Err(ChatError::Conflict(_))));
    let session = store.sessions.find(session).await.unwrap().unwrap();
    assert_eq!((session.is_active(), session.progress.unread_by_support), (false, 0));
}
