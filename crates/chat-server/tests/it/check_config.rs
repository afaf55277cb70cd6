//! `check-config`: where each value comes from, and no secret.

use std::fs;

use crate::support::{chat_server, run};

const SECRET: &str = "canary-0123456789abcdef0123456789";

/// What is shown of a variable, word by word.
fn row<'a>(shown: &'a str, variable: &str) -> Vec<&'a str> {
    let line = shown.lines().find(|line| line.split_whitespace().next() == Some(variable));
    line.unwrap_or_else(|| panic!("no {variable} in {shown}")).split_whitespace().skip(1).collect()
}

#[test]
fn every_value_comes_with_its_source_and_a_flag_wins() {
    let home = tempfile::tempdir().unwrap();
    let mut command = chat_server(home.path());
    command.args(["check-config", "--listen", "127.0.0.1:9000"]);
    command.env("CHAT_LISTEN", "127.0.0.1:9001").env("CHAT_MAX_FILE_SIZE", "1024KiB").env("CHAT_JWT_SECRET", SECRET);
    let shown = run(&mut command);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let row = |variable: &str| row(&shown.stdout, variable);
    assert_eq!(row("CHAT_LISTEN"), ["flag", "127.0.0.1:9000"]);
    assert_eq!(row("CHAT_MAX_FILE_SIZE"), ["env", "1MiB"]);
    assert_eq!(row("CHAT_MAX_FILES"), ["default", "10"]);
    assert_eq!(row("CHAT_JWT_SECRET"), ["env", "(set)"]);
    // The test reads standard error through a pipe.
    assert_eq!(row("CHAT_LOG_FORMAT").join(" "), "default json (standard error is not a terminal)");
    let database = format!("sqlite://{}", home.path().join("chat.db").display());
    assert_eq!(row("CHAT_DATABASE_URL"), ["default", database.as_str()]);
    assert!(!shown.stdout.contains("canary") && !shown.stderr.contains("canary"));
}

#[test]
fn a_value_from_a_file_has_the_file_as_its_source() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = home.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let mut command = chat_server(&home.path().join("data"));
    command.arg("check-config").env("CHAT_JWT_SECRET_FILE", file("secret", SECRET));
    command.env("CHAT_DATABASE_URL_FILE", file("url", "postgres://chat:canary@db.example.com/chat?sslmode=disable"));
    let shown = run(&mut command);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let row = |variable: &str| row(&shown.stdout, variable);
    assert_eq!(row("CHAT_JWT_SECRET"), ["file", "(set)"]);
    assert_eq!(row("CHAT_JWT_SECRET_FILE")[0], "env");
    assert_eq!(row("CHAT_JWT_SECRET_PREVIOUS"), ["default", "(unset)"]);
    assert_eq!(row("CHAT_DATABASE_URL"), ["file", "postgres://chat:***@db.example.com/chat?sslmode=disable"]);
    assert_eq!(row("CHAT_REDIS_URL"), ["default", "(unset)"]);
    assert!(!shown.stdout.contains("canary"), "{}", shown.stdout);
}
