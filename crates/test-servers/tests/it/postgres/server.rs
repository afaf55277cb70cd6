//! What a private server promises: where it listens, what survives which stop, and that it leaves nothing behind.

use std::net::{TcpListener, TcpStream};
use std::process::Command;

use test_servers::postgres::{PrivatePostgres, StopMode};

use crate::killed_process::leaves_nothing;

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_server_is_as_durable_as_in_production_unless_set_otherwise() {
    let server = PrivatePostgres::start(&[]).unwrap();
    assert_eq!(
        server.sql("postgres", "SHOW fsync; SHOW synchronous_commit; SHOW full_page_writes").unwrap(),
        "on\non\non"
    );

    let server = PrivatePostgres::start(&[("fsync", "off"), ("cluster_name", "it's")]).unwrap();
    assert_eq!(server.sql("postgres", "SHOW fsync; SHOW cluster_name").unwrap(), "off\nit's");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_server_with_tls_refuses_connections_without() {
    let server = PrivatePostgres::start_encrypted(&[]).unwrap();
    let ssl = "SELECT ssl, inet_client_addr() IS NOT NULL FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
               WHERE pid = pg_backend_pid()";
    assert_eq!(server.sql("postgres", ssl).unwrap(), "t|t");
    let psql =
        |url: &str| Command::new(server.programs().join("psql")).args(["-XAtc", "SELECT 1", url]).output().unwrap();
    let verified = server.admin_url();
    for (from, to, reason) in [
        ("verify-full", "disable", "no encryption"),
        ("@localhost:", "@127.0.0.1:", "does not match host name"),
        ("&sslrootcert=", "&sslrootcert=/nowhere", "does not exist"),
    ] {
        let refused = psql(&verified.replace(from, to));
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(reason), "{said}");
    }
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn two_servers_live_side_by_side() {
    let (one, other) = (PrivatePostgres::start(&[]).unwrap(), PrivatePostgres::start(&[]).unwrap());
    assert_ne!(one.port(), other.port());
    assert_ne!(one.data_dir(), other.data_dir());
    for server in [&one, &other] {
        assert_eq!(server.sql("postgres", "SHOW port").unwrap(), server.port().to_string());
        assert_eq!(server.admin_url(), format!("postgres://postgres@127.0.0.1:{}/postgres", server.port()));
        let socket =
            format!("postgres://postgres@/postgres?host={}&port={}", server.socket_dir().display(), server.port());
        let psql = Command::new(server.programs().join("psql")).args(["-XAtc", "SELECT 1", &socket]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&psql.stdout), "1\n", "{psql:?}");
    }
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn committed_rows_survive_both_ways_of_stopping() {
    let server = PrivatePostgres::start(&[]).unwrap();
    let port = server.port();
    server.sql("postgres", "CREATE TABLE kept (value int)").unwrap();
    for (value, mode) in [("1", StopMode::Immediate), ("2", StopMode::Fast)] {
        server.sql("postgres", &format!("INSERT INTO kept VALUES ({value})")).unwrap();
        server.stop(mode).unwrap();
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "still there after {mode:?}");
        assert!(server.sql("postgres", "SELECT 1").is_err());
        server.start_again().unwrap();
        assert_eq!(server.port(), port);
    }
    assert_eq!(server.sql("postgres", "SELECT value FROM kept ORDER BY value").unwrap(), "1\n2");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_taken_port_is_an_error_that_says_so() {
    let server = PrivatePostgres::start(&[]).unwrap();
    server.stop(StopMode::Fast).unwrap();
    let other = TcpListener::bind(("127.0.0.1", server.port())).unwrap();
    // A new server would look for these words and try another port.
    let refusal = server.start_again().unwrap_err().to_string();
    assert!(refusal.contains("Address already in use"), "{refusal}");
    drop(other);
    server.start_again().unwrap();
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn an_unknown_setting_is_an_error_with_the_servers_message() {
    let refusal = PrivatePostgres::start(&[("no_such_setting", "1")]).unwrap_err().to_string();
    assert!(refusal.contains("unrecognized configuration parameter \"no_such_setting\""), "{refusal}");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn statements_end_at_the_first_error() {
    let server = PrivatePostgres::start(&[]).unwrap();
    let refusal =
        server.sql("postgres", "CREATE TABLE a (); SELECT nothing; CREATE TABLE b ();").unwrap_err().to_string();
    assert!(refusal.contains("column \"nothing\" does not exist"), "{refusal}");
    assert_eq!(server.sql("postgres", "SELECT to_regclass('a'), to_regclass('b')").unwrap(), "a|");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_dropped_server_leaves_nothing() {
    let server = PrivatePostgres::start(&[]).unwrap();
    let (port, directory) = (server.port(), server.socket_dir().to_owned());
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!directory.exists());
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_killed_process_leaves_nothing() {
    leaves_nothing("postgres::server::a_killed_process_leaves_nothing", || {
        let server = PrivatePostgres::start(&[]).unwrap();
        let (port, directory) = (server.port(), server.socket_dir().display().to_string());
        (server, port, directory)
    });
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_standby_follows_takes_no_writes_and_takes_over() {
    let primary = PrivatePostgres::start(&[("fsync", "off")]).unwrap();
    let standby = primary.standby().unwrap();
    primary.sql("postgres", "CREATE TABLE followed (n INTEGER)").unwrap();
    let position = primary.sql("postgres", "SELECT pg_current_wal_lsn()").unwrap();
    let caught_up = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
    while standby.sql("postgres", &caught_up).unwrap() != "t" {}
    let refused = standby.sql("postgres", "INSERT INTO followed VALUES (1)").unwrap_err().to_string();
    assert!(refused.contains("read-only transaction"), "{refused}");
    primary.stop(StopMode::Immediate).unwrap();
    standby.promote().unwrap();
    assert_eq!(standby.sql("postgres", "INSERT INTO followed VALUES (1) RETURNING n").unwrap(), "1");
}
