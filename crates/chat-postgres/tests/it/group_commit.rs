//! Group commit through the repositories: who shares a batch with a failure, or finds the queue full, is not the worse for
//! it.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::model::{MessageId, Seq, SessionId};
use chat_domain::ports::{EventLog as _, MessageRepository as _, SessionRepository as _, StatsReader as _};
use chat_postgres::{PgConfig, PgStore};
use chat_testkit::fixtures::{alice, draft, new_session};
use chat_testkit::latch::{Holder, is_waiting, latch};
use test_servers::postgres::TestDatabase;

use crate::support::{message_ids, reused};

/// A store whose writer stands after the first session was opened.
struct Standing {
    store: PgStore,
    holder: Holder,
    session: SessionId,
    opening: tokio::task::JoinHandle<chat_domain::Result<chat_domain::write::Opened>>,
    _database: TestDatabase,
}

impl Standing {
    async fn open(change: impl FnOnce(PgConfig) -> PgConfig) -> Self {
        let database = reused();
        let config = change(PgConfig { readers: 1, writers: 1, ..PgConfig::new(database.url()) });
        let (latch, holder) = latch();
        let store = PgStore::open(config, latch).await.unwrap();
        let sessions = Arc::clone(&store.sessions);
        let opening = tokio::spawn(async move { sessions.open(new_session(1), alice(), None).await });
        holder.wait();
        Self { store, holder, session: new_session(1).id, opening, _database: database }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_member_that_fails_in_the_database_fails_alone() {
    let Standing { store, holder, session, opening, _database } = Standing::open(|config| config).await;
    let mut drafts: Vec<_> = (1..=9).map(|n| draft(session, &alice(), n)).collect();
    // The fifth repeats the id of the second, which no rule of the domain forbids and the table does.
    drafts[4].id = drafts[1].id;
    let expected: Vec<MessageId> =
        drafts.iter().enumerate().filter(|(n, _)| *n != 4).map(|(_, draft)| draft.id).collect();
    let mut writes: Vec<_> = drafts.into_iter().map(|draft| Box::pin(store.messages.append(draft))).collect();
    for write in &mut writes {
        assert!(is_waiting(write.as_mut()).await, "the writer stands, so nothing is answered");
    }
    holder.release();
    opening.await.unwrap().unwrap();
    for (n, write) in writes.into_iter().enumerate() {
        let answer = write.await;
        assert_eq!(answer.is_ok(), n != 4, "member {n}: {answer:?}");
        if n == 4 {
            assert!(matches!(answer, Err(ChatError::Internal(_))), "{answer:?}");
        }
    }
    assert_eq!(message_ids(&store, session).await, expected);
    assert_eq!(store.events.head(session).await.unwrap(), Some(Seq::new(9)));
    assert_eq!(store.stats.read().await.unwrap().messages, 8);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_full_queue_refuses_and_the_store_recovers() {
    let standing = Standing::open(|config| PgConfig { queue: 2, ..config }).await;
    let Standing { store, holder, session, opening, _database } = standing;
    let mut waiting: Vec<_> = (1..=2).map(|n| Box::pin(store.messages.append(draft(session, &alice(), n)))).collect();
    for write in &mut waiting {
        assert!(is_waiting(write.as_mut()).await, "the writer stands, so nothing is answered");
    }
    let refused = store.messages.append(draft(session, &alice(), 3)).await;
    let Err(ChatError::Unavailable { reason, retry_after }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("too many writes") && !retry_after.is_zero(), "{reason}, {retry_after:?}");
    holder.release();
    opening.await.unwrap().unwrap();
    for write in waiting {
        write.await.unwrap();
    }
    store.messages.append(draft(session, &alice(), 3)).await.unwrap();
    assert_eq!(message_ids(&store, session).await.len(), 3);
    store.close().await;
}
