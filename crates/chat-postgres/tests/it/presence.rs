//! Who is there, as rows: what it costs to note, and the clock that counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{AgentId, AgentStatus, AgentUpdate, OFFLINE_AFTER};
use chat_domain::ports::{AgentDirectory as _, PresenceStore as _};
use chat_postgres::{PgConfig, PgStore};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{agent_id, bob, start};
use test_servers::postgres::TestDatabase;

use crate::recorder;
use crate::support::{eventually, reused, undisturbed};

async fn open(database: &TestDatabase) -> PgStore {
    let config = PgConfig { readers: 1, writers: 1, ..PgConfig::new(database.url()) };
    PgStore::open(config, Arc::new(RecordingNotifier::new())).await.unwrap()
}

/// So many agents, who were seen so long ago.
fn seen(agents: usize, ago: Duration) -> BTreeMap<AgentId, Duration> {
    (0..agents).map(|n| (AgentId::parse(&format!("agent {n}")).unwrap(), ago)).collect()
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn any_number_of_agents_is_noted_in_one_statement_and_read_in_one() {
    recorder::install();
    let database = reused();
    let store = open(&database).await;
    let counts = || ["INSERT INTO chat_agent_presence", "FROM \"chat_agent_presence\""];
    let times = || counts().map(|part| recorder::times(database.name(), part));
    let before = times();
    let agents = seen(1_000, Duration::ZERO);
    store.presence.note(agents.clone()).await.unwrap();
    assert_eq!(store.presence.last_seen(agents.into_keys().collect()).await.unwrap().len(), 1_000);
    assert_eq!(times(), before.map(|count| count + 1));
    store.close().await;
}

/// Each new version of a row stays on the page of the old one.
#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn to_note_an_agent_again_moves_no_index() {
    let (_server, database) = undisturbed();
    let store = open(&database).await;
    // Each time newer than the one before, so that it is written.
    for n in 0..=40 {
        store.presence.note(seen(50, Duration::from_secs(3_600 - n))).await.unwrap();
    }
    store.close().await;
    drop(store);
    let figure = |column: &str| -> i64 {
        let figure = format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = 'chat_agent_presence'");
        database.sql(&figure).parse().unwrap()
    };
    // The servers of the connections report what they did when they end.
    eventually("the statistics of all updates", async || figure("n_tup_upd") == 40 * 50).await;
    let moved = figure("n_tup_upd - n_tup_hot_upd");
    assert!(moved <= 40 * 50 / 20, "{moved} updates have moved the index");
}

/// A clock that was set back, or that of another server which has taken over.
#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_time_ahead_of_the_clock_ends_like_any_other_and_is_replaced() {
    let database = reused();
    let store = open(&database).await;
    let bob = agent_id(&bob());
    let note = async |ago| store.presence.note(BTreeMap::from([(bob.clone(), ago)])).await.unwrap();
    let seen = async || store.presence.last_seen(vec![bob.clone()]).await.unwrap()[&bob];
    let move_by = |seconds: i64| {
        database.sql(&format!("UPDATE chat_agent_presence SET seen_at = seen_at + {}", seconds * 1_000));
    };
    note(Duration::ZERO).await;
    move_by(30);
    assert!(seen().await < OFFLINE_AFTER, "a little ahead is here");
    move_by(3_600);
    assert!(seen().await > OFFLINE_AFTER, "far ahead is not");
    note(Duration::from_secs(5)).await;
    assert!((5..50).contains(&seen().await.as_secs()), "{:?}", seen().await);
    move_by(-600);
    assert!(seen().await >= 10 * OFFLINE_AFTER);
    store.close().await;
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_status_of_a_newer_version_stays_until_the_agent_sets_another() {
    let database = reused();
    let store = open(&database).await;
    let id = agent_id(&bob());
    store.agents.register(id.clone(), None, start()).await.unwrap();
    database.sql("UPDATE chat_agents SET status = 'lunch'");
    assert_eq!(store.agents.find(&id).await.unwrap().unwrap().status, AgentStatus::Away);
    store.agents.put(id.clone(), AgentUpdate::default(), start()).await.unwrap();
    assert_eq!(database.sql("SELECT status FROM chat_agents"), "lunch");
    store.agents.set_status(&id, AgentStatus::Online).await.unwrap();
    assert_eq!(database.sql("SELECT status FROM chat_agents"), "online");
    store.close().await;
}
