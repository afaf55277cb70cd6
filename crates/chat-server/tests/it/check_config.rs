//! `check-config`: where each value comes from, and no secret.

use crate::support::{chat_server, run};

const SECRET: &str = "canary-0123456789abcdef0123456789";

#[test]
fn every_value_comes_with_its_source_and_a_flag_wins() {
    let home = tempfile::tempdir().unwrap();
    let mut command = chat_server(home.path());
    command.args(["check-config", "--listen", "127.0.0.1:9000"]);
    command.env("CHAT_LISTEN", "127.0.0.1:9001").env("CHAT_MAX_FILE_SIZE", "1024KiB").env("CHAT_JWT_SECRET", SECRET);
    let shown = run(&mut command);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let row = |variable: &str| -> Vec<&str> {
        let line = shown.stdout.lines().find(|line| line.split_whitespace().next() == Some(variable));
        line.unwrap_or_else(|| panic!("no {variable} in {}", shown.stdout)).split_whitespace().skip(1).collect()
    };
    assert_eq!(row("CHAT_LISTEN"), ["flag", "127.0.0.1:9000"]);
    assert_eq!(row("CHAT_MAX_FILE_SIZE"), ["env", "1MiB"]);
    assert_eq!(row("CHAT_MAX_FILES"), ["default", "10"]);
    assert_eq!(row("CHAT_JWT_SECRET"), ["env", "(set)"]);
    let database = format!("sqlite://{}", home.path().join("chat.db").display());
    assert_eq!(row("CHAT_DATABASE_URL"), ["default", database.as_str()]);
    assert!(!shown.stdout.contains("canary") && !shown.stderr.contains("canary"));
}
