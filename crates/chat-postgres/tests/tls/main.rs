//! The contract suite over TLS, with the machine's libpq: every statement of the store on encrypted connections.
//!
//! `cargo xtask tls` builds it with the feature `system-libpq`, and gives it a server that takes nothing but TLS.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../it/contract.rs"]
mod contract;
#[path = "../it/plans.rs"]
mod plans;
#[path = "../it/recorder.rs"]
mod recorder;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod support;

use test_servers::postgres::TestDatabase;

#[test]
#[ignore = "needs a PostgreSQL that requires TLS: cargo xtask test"]
fn the_server_of_these_tests_takes_nothing_but_tls() {
    let database = TestDatabase::empty();
    assert!(database.url().contains("?sslmode=verify-full&sslrootcert=/"), "{}", database.url());
    assert_eq!(database.sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), "t");
    let rules = database.sql("SELECT DISTINCT type FROM pg_hba_file_rules ORDER BY type");
    assert_eq!(rules.lines().collect::<Vec<_>>(), ["hostssl", "local"]);
}
