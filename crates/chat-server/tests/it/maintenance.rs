//! What the server does beside its requests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reqwest::Method;
use reqwest::multipart::{Form, Part};

use crate::support::{PATIENCE, Person, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn stored_files_without_a_message_are_removed_at_start_and_others_stay() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("with a file").await;
    let form = Form::new().part("attachments[0]", Part::text("kept").file_name("kept.txt"));
    let request = alice.request(Method::POST, &format!("/api/chat/sessions/{session}/messages"));
    let message = Person::json(request.multipart(form).send().await.unwrap(), 201).await;
    let id = message["attachments"][0]["id"].as_str().unwrap().to_owned();
    server.kill();

    // Two more files as an upload leaves them whose sender went away: one long ago, one just now.
    let kept = find(&data_dir.join("attachments"), &id).expect("the attachment's file");
    let [old, young] = ["0", "1"].map(|last| {
        let other_id = format!("{}{last}{last}", &id[..id.len() - 2]);
        assert_ne!(other_id, id);
        let path = kept.with_file_name(other_id);
        fs::copy(&kept, &path).unwrap();
        path
    });
    let long_ago = SystemTime::now() - Duration::from_hours(48);
    for path in [&kept, &old] {
        File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }

    let server = TestServer::start_on(&data_dir, |_| {}).await;
    server.stderr.wait_for(PATIENCE, |lines| {
        lines.iter().any(|line| line.contains("removed 1 stored files that belong to no message")).then_some(())
    });
    assert_eq!((kept.exists(), old.exists(), young.exists()), (true, false, true));
    let downloaded = alice.at(server.addr).get(&format!("/api/chat/attachments/{id}")).await;
    assert_eq!(downloaded.text().await.unwrap(), "kept");
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find_map(|path| if path.is_dir() { find(&path, name) } else { path.ends_with(name).then_some(path) })
}
