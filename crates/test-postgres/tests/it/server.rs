//! What a private server promises: where it listens, what survives which stop, and that it leaves nothing behind.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use test_postgres::{PrivatePostgres, StopMode};

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_server_is_as_durable_as_in_production_unless_told_otherwise() {
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
fn what_was_committed_survives_both_ways_of_stopping() {
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
fn a_setting_that_is_none_is_an_error_with_the_servers_words() {
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

/// Set for the process that the next test kills.
const VICTIM: &str = "TEST_POSTGRES_VICTIM";

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_killed_process_leaves_nothing() {
    if env::var_os(VICTIM).is_some() {
        let server = PrivatePostgres::start(&[]).unwrap();
        println!("\nvictim {} {}", server.port(), server.socket_dir().display());
        std::io::stdout().flush().unwrap();
        // Until it is killed.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "server::a_killed_process_leaves_nothing", "--include-ignored", "--nocapture"])
        .env(VICTIM, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = said.find(|line| line.starts_with("victim ")).unwrap();
    let [_, port, directory] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let mut connection = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();

    victim.kill().unwrap();
    victim.wait().unwrap();
    // The server's end of the connection closes when its processes end.
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(matches!(connection.read(&mut [0]), Ok(0)) || TcpStream::connect(connection.peer_addr().unwrap()).is_err());
    let deadline = Instant::now() + Duration::from_secs(20);
    while Path::new(directory).exists() {
        assert!(Instant::now() < deadline, "{directory} is still there");
        thread::sleep(Duration::from_millis(5));
    }
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
