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
    // No node runs on a file that this command holds, so there is nothing to say about any.
    assert_eq!(rotated.stdout, format!("the epoch is now {after}"));
}

#[test]
fn a_missing_database_has_no_epoch_and_the_remedy_is_named() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("mistyped");
    for arguments in [["epoch"].as_slice(), &["epoch", "rotate"]] {
        let refused = run(chat_server(&data_dir).args(arguments));
        assert_eq!(refused.code, 1);
        for part in ["--data-dir (CHAT_DATA_DIR)", "--database-url (CHAT_DATABASE_URL)", "chat-server migrate up"] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
        assert!(!data_dir.exists());
    }
}
