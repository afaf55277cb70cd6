//! `migrate`, and a server whose operator migrates by hand.

use std::path::Path;

use crate::support::{Finished, TestServer, chat_server, run};

fn migrate(data_dir: &Path, arguments: &[&str]) -> Finished {
    let finished = run(chat_server(data_dir).arg("migrate").args(arguments));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished
}

fn pending(data_dir: &Path) -> usize {
    let status = migrate(data_dir, &["status"]).stdout;
    assert!(status.lines().count() > 0);
    status.lines().filter(|line| line.starts_with("pending\t")).count()
}

#[test]
fn the_schema_goes_up_and_down_and_says_where_it_stands() {
    let home = tempfile::tempdir().unwrap();
    let all = pending(home.path());
    assert!(all > 0);

    let up = migrate(home.path(), &["up"]).stdout;
    assert_eq!(up.lines().filter(|line| line.starts_with("applied ")).count(), all);
    assert_eq!(pending(home.path()), 0);
    assert_eq!(migrate(home.path(), &[]).stdout, "nothing to do\n");

    let down = migrate(home.path(), &["down", "--yes"]).stdout;
    assert_eq!(down.lines().count(), 1);
    assert_eq!(pending(home.path()), 1);
    migrate(home.path(), &["down", "--steps", "1000", "--yes"]);
    assert_eq!(pending(home.path()), all);
    assert_eq!(migrate(home.path(), &["down"]).stdout, "nothing to do\n");
}

#[test]
fn steps_are_taken_back_only_with_a_confirmation_and_named_without_it() {
    let home = tempfile::tempdir().unwrap();
    migrate(home.path(), &["up"]);
    let status = migrate(home.path(), &["status"]).stdout;
    let refused = run(chat_server(home.path()).args(["migrate", "down", "--steps", "2"]));
    assert_eq!(refused.code, 1);
    let newest: Vec<&str> = status.lines().rev().take(2).filter_map(|line| line.split('\t').nth(1)).collect();
    for part in [newest.join(", ").as_str(), "backup", "--yes"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(migrate(home.path(), &["status"]).stdout, status);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_migrations_off_an_old_schema_is_refused_with_the_command_that_fixes_it() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let start = || run(chat_server(&data_dir).args(["--listen", "127.0.0.1:0", "--migrate", "off"]));
    let refused = start();
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("chat-server migrate up") && refused.stderr.contains("CHAT_MIGRATE"),
        "{refused:?}"
    );
    migrate(&data_dir, &["up"]);
    migrate(&data_dir, &["down", "--yes"]);
    let refused = start();
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("chat-server migrate up"), "{refused:?}");

    migrate(&data_dir, &["up"]);
    TestServer::start_on(&data_dir, |command| {
        command.args(["--migrate", "off"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_not_changed_under_a_running_server() {
    let server = TestServer::start().await;
    let refused = run(chat_server(server.data_dir()).args(["migrate", "down"]));
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("another chat-server uses the database"), "{}", refused.stderr);
}
