//! A file that the system does not let grow: it is refused as too large, nothing is left behind, and texts go on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use test_servers::postgres::TestDatabase;
use tokio::time::sleep;

use super::cluster::Cluster;
use crate::support::{PATIENCE, Person};

/// Larger than what is written at once.
const FILE_BYTES: usize = 300 * 1024;
/// The end of a disk comes in the middle of a file.
const ROOM: u64 = 100 * 1024;

/// A limit of the process stands for that of a file system, such as FAT's: the same write fails, half-way through a file.
/// A file system of the test's own would need rights that neither every developer nor every container has.
fn let_files_grow_to(server: u32, bytes: Option<u64>) {
    let server = Pid::from_raw(i32::try_from(server).unwrap());
    assert!(server.is_some());
    prlimit(server, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

async fn send_file(person: &Person, session: &str) -> Response {
    let part = Part::bytes(vec![b'x'; FILE_BYTES]).file_name("notes.txt");
    let form = Form::new().text("content", "with a file").part("attachments[0]", part);
    let path = format!("/api/chat/sessions/{session}/messages");
    person.request(Method::POST, &path).multipart(form).send().await.unwrap()
}

/// Whatever lies below a directory, except what a server keeps at its top.
fn stored(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories: Vec<PathBuf> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { directories.push(path) } else { found.push(path) }
        }
    }
    found
}

/// Files are removed after the answer.
async fn until_stored(root: &Path, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    while stored(root).len() != count {
        assert!(Instant::now() < deadline, "{count} files were to be left, not {:?}", stored(root));
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_file_that_the_disk_never_takes_is_refused_and_texts_go_on() {
    let cluster = Cluster::start(1, TestDatabase::empty(), &[]).await;
    let server = cluster.node(0).pid();
    let (alice, attachments) = (cluster.alice(), cluster.attachments());
    let session = alice.open_session("a large file").await;
    let path = format!("/api/chat/sessions/{session}/messages");
    Person::json(send_file(&alice, &session).await, 201).await;
    let before = stored(&attachments).len();
    assert_eq!(before, 1);

    let_files_grow_to(server, Some(ROOM));
    let mut bodies = Vec::new();
    for number in 0..3 {
        let answer = send_file(&alice, &session).await;
        assert_eq!(answer.status().as_u16(), 400);
        let mut body: Value = answer.json().await.unwrap();
        body["error"]["requestId"].take();
        bodies.push(body);
        Person::json(alice.post(&path, &json!({ "content": format!("text {number}") })).await, 201).await;
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(bodies[0]["message"], "attachments[0] must not be larger than this server can store");
    until_stored(&attachments, before).await;

    let_files_grow_to(server, None);
    let sent = Person::json(send_file(&alice, &session).await, 201).await;
    let url = format!("/api/chat/attachments/{}", sent["attachments"][0]["id"].as_str().unwrap());
    assert_eq!(alice.get(&url).await.bytes().await.unwrap().len(), FILE_BYTES);
    until_stored(&attachments, before + 1).await;
    let (messages, _) = alice.all_messages(&session).await;
    let contents: Vec<&Value> = messages.iter().map(|message| &message["content"]).collect();
    assert_eq!(contents, ["with a file", "text 0", "text 1", "text 2", "with a file"]);
}
