//! The buckets under the page numbers are those of the rows, whichever writer moved them.

use std::sync::Arc;

use chat_domain::model::{NewSession, SessionAction, Timestamp};
use chat_domain::ports::{AgentDirectory as _, SessionRepository as _};
use chat_postgres::{PgConfig, PgStore, migrate};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{self, agent_id, alice, bob, mallory, root};
use test_postgres::TestDatabase;

use crate::support::migrated;

/// The sums over the writers, without buckets that have become empty.
fn buckets(database: &TestDatabase) -> String {
    database.sql(
        "SELECT scope, holder, level, bucket, sum(active), sum(closed) FROM chat_session_buckets
         GROUP BY 1, 2, 3, 4 HAVING sum(active) <> 0 OR sum(closed) <> 0 ORDER BY 1, 2, 3, 4",
    )
}

async fn open(database: &TestDatabase) -> PgStore {
    PgStore::open(PgConfig::new(database.url()), Arc::new(RecordingNotifier::default())).await.unwrap()
}

/// Sessions in every state, some of them from before 1970.
async fn open_sessions(store: &PgStore) {
    store.agents.register(agent_id(&bob()), None, fixtures::start()).await.unwrap();
    for n in 0_u32..12 {
        let owner = if n % 3 == 0 { mallory() } else { alice() };
        let started_at = Timestamp::from_unix_ms(if n < 2 { -1 } else { i64::from(n) << 20 });
        let session = NewSession { started_at, ..fixtures::new_session_of(&owner, n.into()) };
        store.sessions.open(session, owner, None).await.unwrap();
    }
}

async fn change_sessions(store: &PgStore) {
    let change = |n, action| store.sessions.change(fixtures::session_id(n), fixtures::change(&root(), action, 100));
    for n in 0..8 {
        change(n, fixtures::assign(&bob())).await.unwrap();
    }
    for n in 0..2 {
        change(n, SessionAction::Transfer(None)).await.unwrap();
    }
    for n in (0..12).step_by(2) {
        change(n, SessionAction::Close).await.unwrap();
    }
}

/// The migration counts the rows, so this compares with a recount.
#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn buckets_that_are_made_again_are_those_that_several_writers_kept() {
    let database = migrated();
    let first = open(&database).await;
    let second = open(&database).await;
    open_sessions(&first).await;
    change_sessions(&second).await;
    first.close().await;
    second.close().await;
    drop((first, second));
    let negative = database.sql("SELECT count(*) > 0 FROM chat_session_buckets WHERE active < 0");
    assert_eq!(negative, "t", "the second store has taken back what the first has counted");

    let kept = buckets(&database);
    assert!(kept.contains("all||16|-1|1|1") && kept.contains("agent|bob|"), "{kept}");
    let all = migrate::status(database.url()).unwrap();
    let later = all.iter().rev().take_while(|migration| !migration.name.ends_with("_session_buckets")).count();
    migrate::down(database.url(), later + 1).unwrap();
    migrate::up(database.url()).unwrap();
    assert_eq!(buckets(&database), kept);
}
