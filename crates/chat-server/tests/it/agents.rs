//! `agents`: the directory from the command line, also beside a running server.

use std::path::Path;

use serde_json::json;

use crate::support::{Finished, Person, TestServer, chat_server, run};

fn agents(data_dir: &Path, arguments: &[&str]) -> Finished {
    run(chat_server(data_dir).arg("agents").args(arguments))
}

#[test]
fn agents_are_added_listed_and_deactivated() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(run(chat_server(home.path()).args(["migrate", "up"])).code, 0);
    assert_eq!(agents(home.path(), &["list"]).stdout, "");
    assert_eq!(agents(home.path(), &["add", "zoe", "--name", "Zoe Z."]).stdout, "added zoe\tactive\tZoe Z.\n");
    assert_eq!(agents(home.path(), &["add", "carl"]).stdout, "added carl\tactive\t-\n");
    assert_eq!(agents(home.path(), &["deactivate", "zoe"]).stdout, "deactivated zoe\tdeactivated\tZoe Z.\n");
    assert_eq!(agents(home.path(), &["list"]).stdout, "carl\tactive\t-\nzoe\tdeactivated\tZoe Z.\n");
    assert_eq!(agents(home.path(), &["add", "zoe"]).stdout, "updated zoe\tactive\tZoe Z.\n");

    let refused = agents(home.path(), &["deactivate", "quentin"]);
    assert_eq!(refused.code, 1);
    for part in ["there is no agent quentin", "chat-server agents list"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    assert_eq!(agents(home.path(), &["add", ""]).code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_changes_under_a_running_server() {
    let server = TestServer::start().await;
    let (alice, carl, root) =
        (server.person("alice", "user"), server.person("carl", "agent"), server.person("root", "admin"));
    let session = alice.open_session("who comes?").await;
    let assign = format!("/api/chat/sessions/{session}/assign");
    assert_eq!(root.put(&assign, &json!({ "agentId": "carl" })).await.status(), 404);
    assert_eq!(agents(server.data_dir(), &["add", "carl"]).code, 0);
    assert_eq!(root.put(&assign, &json!({ "agentId": "carl" })).await.status(), 200);
    assert_eq!(carl.get(&format!("/api/chat/sessions/{session}")).await.status(), 200);
    assert_eq!(agents(server.data_dir(), &["deactivate", "carl"]).code, 0);
    let refused = Person::json(carl.get(&format!("/api/chat/sessions/{session}")).await, 403).await;
    assert_eq!(refused["error"]["code"], "AGENT_DEACTIVATED");
}

#[test]
fn a_missing_database_is_refused_with_the_remedy_and_not_made() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("mistyped");
    for arguments in [["list"].as_slice(), &["add", "zoe"], &["deactivate", "zoe"]] {
        let refused = agents(&data_dir, arguments);
        assert_eq!(refused.code, 1);
        for part in ["--data-dir (CHAT_DATA_DIR)", "--database-url (CHAT_DATABASE_URL)", "chat-server migrate up"] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
        assert!(!data_dir.exists());
    }
    std::fs::create_dir(&data_dir).unwrap();
    assert_eq!(agents(&data_dir, &["list"]).code, 1);
    assert_eq!(std::fs::read_dir(&data_dir).unwrap().count(), 0);
}

#[test]
fn an_old_schema_is_refused_with_the_remedy_and_not_changed() {
    let home = tempfile::tempdir().unwrap();
    let migrate = |arguments: &[&str]| run(chat_server(home.path()).arg("migrate").args(arguments)).stdout;
    migrate(&["up"]);
    migrate(&["down", "--yes"]);
    let before = migrate(&["status"]);
    assert!(before.contains("pending\t"), "{before}");
    let refused = agents(home.path(), &["add", "zoe"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("chat-server migrate up"), "{}", refused.stderr);
    assert_eq!(migrate(&["status"]), before);
}
