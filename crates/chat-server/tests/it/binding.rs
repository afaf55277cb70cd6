//! A database and a directory of attachments belong together, and to one server at a time.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reqwest::Method;
use reqwest::multipart::{Form, Part};

use crate::support::{Finished, Person, TestServer, chat_server, run};

const REMEDIES: [&str; 2] = ["--database-url (CHAT_DATABASE_URL)", "--attachments-url (CHAT_ATTACHMENTS_URL)"];

/// An option whose value is a place.
fn option(name: &str, scheme: &str, path: &Path) -> [OsString; 2] {
    let mut url = OsString::from(scheme);
    url.push(path);
    [name.into(), url]
}

fn refused(data_dir: &Path, options: &[OsString]) -> Finished {
    let refused = run(chat_server(data_dir).args(["--listen", "127.0.0.1:0"]).args(options));
    assert_eq!(refused.code, 1, "{refused:?}");
    refused
}

/// A server's attachment, as old as can be, and the server stopped in good order.
async fn with_attachment(data_dir: &Path) -> (Person, String, PathBuf) {
    let server = TestServer::start_on(data_dir, |_| {}).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("with a file").await;
    let form = Form::new().part("attachments[0]", Part::text("kept").file_name("kept.txt"));
    let request = alice.request(Method::POST, &format!("/api/chat/sessions/{session}/messages"));
    let message = Person::json(request.multipart(form).send().await.unwrap(), 201).await;
    let id = message["attachments"][0]["id"].as_str().unwrap().to_owned();
    server.signal("TERM");
    assert!(server.ended().await.0.success());
    let file = find(&data_dir.join("attachments"), &id).expect("the attachment's file");
    let long_ago = SystemTime::now() - Duration::from_hours(48);
    File::options().append(true).open(&file).unwrap().set_modified(long_ago).unwrap();
    (alice, id, file)
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find_map(|path| if path.is_dir() { find(&path, name) } else { path.ends_with(name).then_some(path) })
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_is_kept_away_from_the_attachments_and_their_own_gets_them_again() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let (alice, id, file) = with_attachment(&data_dir).await;

    let refused = refused(&data_dir, &option("--database-url", "sqlite://", &home.path().join("mistyped.db")));
    for part in ["another database", "mistyped.db"].into_iter().chain(REMEDIES) {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    assert!(file.exists());

    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let downloaded = alice.at(server.addr).get(&format!("/api/chat/attachments/{id}")).await;
    assert_eq!(downloaded.text().await.unwrap(), "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_database_is_let_at_the_attachments() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let (alice, id, _) = with_attachment(&data_dir).await;
    // A server that has stopped leaves all of the database in one file.
    let backup = home.path().join("backup.db");
    fs::copy(data_dir.join("chat.db"), &backup).unwrap();

    let server = TestServer::start_on(&data_dir, |command| {
        command.args(option("--database-url", "sqlite://", &backup));
    })
    .await;
    let downloaded = alice.at(server.addr).get(&format!("/api/chat/attachments/{id}")).await;
    assert_eq!(downloaded.text().await.unwrap(), "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_do_not_share_the_attachments() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start().await;
    let attachments = server.data_dir().join("attachments");
    let refused = refused(&home.path().join("data"), &option("--attachments-url", "file://", &attachments));
    for part in ["another chat-server uses the attachments", "--attachments-url (CHAT_ATTACHMENTS_URL)"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
}
