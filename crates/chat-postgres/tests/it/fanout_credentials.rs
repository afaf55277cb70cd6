//! What nodes know each other by: the same for all nodes of a database, and not for a copy.

use std::process::Command;
use std::sync::Arc;

use chat_domain::model::FanoutCredentials;
use chat_postgres::{PgConfig, PgStore, epoch, fanout_credentials};
use chat_testkit::RecordingNotifier;
use test_servers::postgres::{TestDatabase, find_programs};

use crate::support::{empty, migrated};

fn read(url: &str) -> FanoutCredentials {
    fanout_credentials::read(url).unwrap()
}

/// The copy has the key and the history, and another name.
fn assert_copy(copy: &FanoutCredentials, original: &FanoutCredentials) {
    assert_eq!((&copy.key, &copy.epoch), (&original.key, &original.epoch));
    assert_ne!(copy.database, original.database);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn nodes_that_reach_a_database_by_different_ways_have_the_same_credentials() {
    let database = migrated();
    let by_address = read(database.url());
    assert_eq!(read(&database.url().replace("127.0.0.1", "localhost")), by_address);
    let store = PgStore::open(PgConfig::new(database.url()), Arc::new(RecordingNotifier::default())).await.unwrap();
    assert_eq!(store.fanout.current().await.unwrap(), Some(by_address.clone()));
    store.close().await;
    assert!(by_address.database.split('-').all(|part| part != "0" && !part.is_empty()), "{}", by_address.database);
    let other = empty();
    chat_postgres::migrate::up(other.url()).unwrap();
    assert_ne!(read(other.url()).key, by_address.key);
    let shown = format!("{by_address:?}");
    assert!(
        shown.contains("FanoutKey(secret)") && !shown.contains(&format!("{:?}", by_address.key.expose())),
        "{shown}"
    );
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_copy_by_template_dump_or_into_another_schema_has_another_name() {
    let original = migrated();
    let known = read(original.url());
    assert_copy(&read(original.copy().url()), &known);

    let restored = empty();
    let programs = find_programs().unwrap();
    let pipe = format!(
        "'{0}/pg_dump' --format=custom '{1}' | '{0}/pg_restore' --no-owner --exit-on-error --dbname '{2}'",
        programs.display(),
        original.url(),
        restored.url()
    );
    assert!(Command::new("sh").args(["-c", &pipe]).status().unwrap().success());
    assert_copy(&read(restored.url()), &known);

    // Within one database, as some keep a trial.
    original.sql("CREATE SCHEMA trial");
    for table in ["__diesel_schema_migrations", "chat_epoch", "chat_fanout_key"] {
        original.sql(&format!("CREATE TABLE trial.{table} AS TABLE public.{table}"));
    }
    let separator = if original.url().contains('?') { '&' } else { '?' };
    assert_copy(&read(&format!("{}{separator}options=-csearch_path%3Dtrial", original.url())), &known);
}

/// The same database for another role.
fn url_as(database: &TestDatabase, role: &str) -> String {
    let (scheme, rest) = database.url().split_once("://").unwrap();
    format!("{scheme}://{role}@{}", rest.split_once('@').map_or(rest, |(_, place)| place))
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn an_ordinary_role_may_ask_and_one_that_may_not_still_has_credentials() {
    let database = migrated();
    let role = format!("{}_app", database.name());
    database.sql(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"));
    let url = url_as(&database, &role);
    let known = read(database.url());
    assert_eq!(read(&url), known);
    // In this database alone.
    database.sql("REVOKE EXECUTE ON FUNCTION pg_control_system(), pg_walfile_name(pg_lsn) FROM PUBLIC");
    let poorer = read(&url);
    assert_eq!((&poorer.key, &poorer.epoch), (&known.key, &known.epoch));
    assert!(poorer.database.starts_with("0-0-"), "{}", poorer.database);
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_new_epoch_has_a_new_key() {
    let database = migrated();
    let before = read(database.url());
    let epoch = epoch::rotate(database.url()).unwrap();
    let after = read(database.url());
    assert_eq!((&after.epoch, &after.database), (&epoch, &before.database));
    assert_ne!(after.key, before.key);
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_new_epoch_brings_a_key_that_was_missing() {
    let database = migrated();
    let before = read(database.url());
    database.sql("DELETE FROM chat_fanout_key");
    let error = fanout_credentials::read(database.url()).unwrap_err().to_string();
    assert!(error.contains("`chat-server epoch rotate`"), "{error}");
    epoch::rotate(database.url()).unwrap();
    assert_ne!(read(database.url()).key, before.key);
    assert_eq!(database.sql("SELECT count(*) FROM chat_fanout_key"), "1");
}
