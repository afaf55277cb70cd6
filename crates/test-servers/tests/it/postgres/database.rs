//! What a test's own database promises.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use test_servers::postgres::{KeepRows, PrivatePostgres, StopMode, TestDatabase, find_programs};

/// How many databases of this name the server has.
fn count(asked: &TestDatabase, name: &str) -> String {
    asked.sql(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"))
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_test_has_a_database_of_its_own() {
    let (one, other) = (TestDatabase::empty(), TestDatabase::empty());
    one.sql("CREATE TABLE mine (value text); INSERT INTO mine VALUES ('x'), (NULL)");
    assert_eq!(one.sql("SELECT value, 1 FROM mine ORDER BY value"), "x|1\n|1");
    assert_eq!(other.sql("SELECT to_regclass('mine') IS NULL"), "t");
    assert!(one.url().ends_with(one.name()), "{one:?}");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_database_is_dropped_with_its_value_despite_connections() {
    let (other, gone) = (TestDatabase::empty(), TestDatabase::empty());
    let name = gone.name().to_owned();
    let url = gone.url().to_owned();
    let (connected, is_connected) = std::sync::mpsc::channel();
    let session = thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        let mut psql = std::process::Command::new(find_programs().unwrap().join("psql"))
            .args(["-XAt", &url])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut input = psql.stdin.take().unwrap();
        writeln!(input, "SELECT 'here';").unwrap();
        let mut output = BufReader::new(psql.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        connected.send(input).unwrap();
        psql.wait().unwrap()
    });
    let input = is_connected.recv().unwrap();
    assert_eq!(count(&other, &name), "1");
    drop(gone);
    assert_eq!(count(&other, &name), "0");
    drop(input);
    session.join().unwrap();
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_template_is_prepared_once_for_all_threads() {
    let (prepared, together) = (AtomicUsize::new(0), Barrier::new(8));
    let take = || {
        together.wait();
        TestDatabase::from_template("once", |url| {
            prepared.fetch_add(1, Ordering::Relaxed);
            let name = url.rsplit('/').next().unwrap();
            fill(url);
            assert!(name.starts_with("template_"), "{url}");
        })
    };
    let databases: Vec<TestDatabase> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(prepared.load(Ordering::Relaxed), 1);
    assert_eq!(databases.iter().map(TestDatabase::name).collect::<BTreeSet<_>>().len(), 8);
    // Each is a copy: what one writes no other sees.
    for database in &databases {
        assert_eq!(database.sql("INSERT INTO filled VALUES (2); SELECT value FROM filled ORDER BY value"), "1\n2");
    }
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn templates_of_different_names_differ() {
    let one = TestDatabase::from_template("one", fill);
    let other = TestDatabase::from_template("other", |_| ());
    assert_eq!(one.sql("SELECT value FROM filled"), "1");
    assert_eq!(other.sql("SELECT to_regclass('filled') IS NULL"), "t");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_preparation_that_panics_is_tried_again() {
    let failed = thread::spawn(|| TestDatabase::from_template("second try", |_| panic!("on purpose"))).join();
    assert!(failed.is_err());
    assert_eq!(TestDatabase::from_template("second try", fill).sql("SELECT value FROM filled"), "1");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_private_server_can_have_databases_too() {
    let server = PrivatePostgres::start(&[]).unwrap();
    let database = TestDatabase::on(&server);
    assert_eq!(database.url(), server.url(database.name()));
    assert_eq!(database.sql("SELECT current_database()"), database.name());
    server.stop(StopMode::Immediate).unwrap();
    // Nothing is left to drop it from, and that is no failure.
    drop(database);
}

/// Without a driver: through `psql`, as the crate does.
fn fill(url: &str) {
    let psql = std::process::Command::new(find_programs().unwrap().join("psql"))
        .args(["-X", "-q", "-c", "CREATE TABLE filled AS SELECT 1 AS value", url])
        .status()
        .unwrap();
    assert!(psql.success());
}

/// A database of this name that tests have one after the other, with one row in each of its tables at first.
fn reused(name: &str, keep: KeepRows<'_>) -> TestDatabase {
    TestDatabase::reused(name, keep, |url| {
        let psql = std::process::Command::new(find_programs().unwrap().join("psql"))
            .args(["-Xqd", url, "-c"])
            .arg(
                "CREATE TABLE kept AS VALUES (1); CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1);
                 CREATE TABLE \"Other one\" (id int REFERENCES one); INSERT INTO \"Other one\" VALUES (1)",
            )
            .status();
        assert!(psql.unwrap().success());
    })
}

const ROWS: &str =
    "SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM one), (SELECT count(*) FROM \"Other one\")";

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_reused_database_is_with_one_test_at_a_time_and_emptied_between_them() {
    let keep = KeepRows::Of(&["kept"]);
    let (first, second) = (reused("emptied", keep), reused("emptied", keep));
    assert_ne!(first.name(), second.name());
    assert_eq!(first.sql(ROWS), "1|1|1");
    let name = first.name().to_owned();
    drop(first);
    let again = reused("emptied", keep);
    assert_eq!(again.name(), name);
    assert_eq!(again.sql(ROWS), "1|0|0");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_reused_database_that_is_only_looked_at_is_as_it_was() {
    let first = reused("looked at", KeepRows::All);
    let name = first.name().to_owned();
    drop(first);
    let again = reused("looked at", KeepRows::All);
    assert_eq!((again.name(), again.sql(ROWS).as_str()), (name.as_str(), "1|1|1"));
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn the_database_of_a_test_that_panics_is_not_reused() {
    let (other, keep) = (TestDatabase::empty(), KeepRows::Of(&[]));
    let failed = thread::spawn(move || {
        let database = reused("panics", keep);
        std::panic::panic_any(database.name().to_owned());
    });
    let name = failed.join().unwrap_err().downcast::<String>().unwrap();
    assert_eq!(count(&other, &name), "0");
    assert_ne!(reused("panics", keep).name(), *name);
}
