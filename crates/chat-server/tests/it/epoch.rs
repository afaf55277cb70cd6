//! `epoch` on SQLite. On PostgreSQL, whose servers cannot be kept from running meanwhile, see `postgres`.

use crate::support::{TestServer, chat_server, run};

#[tokio::test(flavor = "multi_thread")]
async fn the_epoch_of_a_database_is_not_rotated_under_its_server() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let epoch = |arguments: &[&str]| run(chat_server(&data_dir).arg("epoch").args(arguments));
    let before = epoch(&[]).stdout;
    let refused = epoch(&["rotate"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("another chat-server uses the database"), "{}", refused.stderr);
    server.kill();

    assert_eq!(epoch(&["show"]).stdout, before);
    let rotated = epoch(&["rotate"]);
    assert_eq!(rotated.code, 0, "{}", rotated.stderr);
    let after = epoch(&[]).stdout;
    assert_ne!(after, before);
    assert!(rotated.stdout.contains(after.trim_end()), "{}", rotated.stdout);
}
