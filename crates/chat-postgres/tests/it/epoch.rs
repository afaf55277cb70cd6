//! A database names its history, until the operator begins another history.

use std::sync::Arc;

use chat_domain::ports::EventLog as _;
use chat_postgres::{OpenError, PgConfig, PgStore, epoch, migrate};
use chat_testkit::RecordingNotifier;
use test_servers::postgres::TestDatabase;

use crate::support::{empty, migrated};

async fn open(database: &TestDatabase) -> PgStore {
    PgStore::open(PgConfig::new(database.url()), Arc::new(RecordingNotifier::default())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn an_epoch_lasts_until_the_operator_begins_another_and_all_nodes_see_it() {
    let database = migrated();
    let first = epoch::read(database.url()).unwrap();
    assert!(first.as_str().len() == 32 && first.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    let nodes = [open(&database).await, open(&database).await];
    let identity = nodes[0].identity().to_owned();
    let mut known = vec![first];
    for begun in [nodes[0].rotate_epoch().await.unwrap(), epoch::rotate(database.url()).unwrap()] {
        assert!(!known.contains(&begun));
        known.push(begun);
    }
    let newest = known.last().unwrap();
    assert_eq!(epoch::read(database.url()).unwrap(), *newest);
    for node in &nodes {
        assert_eq!(node.events.epoch().await.unwrap(), *newest);
        node.close().await;
    }
    let again = open(&database).await;
    assert_eq!(again.identity(), identity, "the identity is another thing");
    again.close().await;
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn the_epoch_of_a_database_that_is_not_ready_is_not_told() {
    let database = empty();
    migrate::up(database.url()).unwrap();
    let undone = migrate::down(database.url(), 2).unwrap();
    for answer in [epoch::read(database.url()), epoch::rotate(database.url())] {
        let Err(OpenError::PendingMigrations { pending, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(pending.len(), undone.len());
    }
    assert!(matches!(epoch::read("nothing"), Err(OpenError::Url { .. })));
}
