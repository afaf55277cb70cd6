//! Servers that start at once, and servers without a database.

use test_servers::postgres::{PrivatePostgres, StopMode, TestDatabase};

use super::cluster::Cluster;
use super::verdict;
use crate::support::{Person, chat_server, run};

/// Whether two processes meet between the same two steps is chance.
const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn servers_that_start_at_once_on_an_empty_database_all_come_up() {
    for _ in 0..ROUNDS {
        let cluster = Cluster::start(3, TestDatabase::empty(), &[]).await;
        let session = cluster.alice().open_session("on all").await;
        for address in cluster.addresses() {
            let found = cluster.alice().at(*address.borrow()).get(&format!("/api/chat/sessions/{session}")).await;
            assert_eq!(Person::json(found, 200).await["id"], session.as_str());
        }
        let twice = "SELECT version FROM __diesel_schema_migrations GROUP BY version HAVING count(*) > 1";
        assert_eq!(cluster.database.sql(twice), "");
        verdict::check_figures(&cluster).await;
    }
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_server_refuses_to_start_on_a_database_that_is_down_and_starts_once_it_is_up() {
    let postgres = PrivatePostgres::start(&[("fsync", "off")]).unwrap();
    let url = postgres.url("postgres").replace("postgres@", "postgres:canary@");
    let home = tempfile::tempdir().unwrap();
    let migrate = || run(chat_server(&home.path().join("data")).env("CHAT_DATABASE_URL", &url).args(["migrate", "up"]));
    let serve = || {
        let mut command = chat_server(&home.path().join("data"));
        run(command.args(["--listen", "127.0.0.1:0"]).env("CHAT_DATABASE_URL", &url))
    };
    postgres.stop(StopMode::Fast).unwrap();
    for refused in [serve(), migrate()] {
        assert_eq!(refused.code, 1, "{refused:?}");
        for part in ["--database-url", "CHAT_DATABASE_URL", &format!("127.0.0.1:{}", postgres.port())] {
            assert!(refused.stderr.contains(part), "{part} is not in {}", refused.stderr);
        }
        assert!(!refused.stderr.contains("canary") && !refused.stdout.contains("canary"), "{refused:?}");
    }
    postgres.start_again().unwrap();
    assert_eq!(migrate().code, 0);
}
