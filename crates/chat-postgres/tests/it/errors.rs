//! The error when the database cannot be used: the option, what is wrong with it, and no password.

use chat_postgres::migrate;
use test_servers::postgres::TestDatabase;

use crate::support::empty;

/// The URL of the database with a password that is not needed.
fn with_password(database: &TestDatabase, user: &str) -> String {
    let (_, rest) = database.url().split_once("://").unwrap();
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    format!("postgres://{user}:hunter2@{place}")
}

#[test]
fn an_invalid_url_is_refused_with_a_valid_one() {
    for url in ["hunter2", "mysql://ann:hunter2@db", "postgres://ann:hunter2%@db", "postgres://ann:hun/ter2@db"] {
        let error = migrate::status(url).unwrap_err().to_string();
        assert!(error.contains("--database-url") && error.contains("CHAT_DATABASE_URL"), "{error}");
        assert!(error.contains("postgres://chat:password@db.example.com:5432/chat"), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("ter2"), "{error}");
    }
}

#[cfg(feature = "bundled-libpq")]
#[test]
fn a_build_without_tls_says_how_to_get_one() {
    let error = migrate::status("postgres://ann:hunter2@db/chat?sslmode=verify-full").unwrap_err().to_string();
    for part in ["sslmode=verify-full", "--features system-libpq", "sslmode=disable"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_database_that_refuses_a_login_is_named_without_the_password() {
    let database = empty();
    let error = migrate::status(&with_password(&database, "no_such_role")).unwrap_err().to_string();
    for part in ["CHAT_DATABASE_URL", "no_such_role", database.name()] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    // A directory without a socket.
    let directory = tempfile::tempdir().unwrap();
    let url = format!("postgres://ann:hunter2@/chat?host={}", directory.path().display());
    let error = migrate::status(&url).unwrap_err().to_string();
    assert!(error.contains(directory.path().to_str().unwrap()) && !error.contains("hunter2"), "{error}");
}
