//! Files move from a directory to S3 while a node serves, and back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Method;
use test_servers::s3::{S3Fault, S3RequestFilter, S3Server};

use super::{on, send_file, url};
use crate::support::{Finished, Person, TestServer, chat_server, run};

/// Stops a server in good order.
async fn stop(server: TestServer) {
    server.signal("TERM");
    assert!(server.ended().await.0.success());
}

fn migrate(s3: &S3Server, data_dir: &Path, from: &str, to: &str) -> Finished {
    let mut command = chat_server(data_dir);
    on(s3)(&mut command);
    run(command.args(["attachments", "migrate", "--from", from, "--to", to]))
}

/// The last line. Before it stands how far the command is, where it takes long.
fn summary(finished: &Finished) -> &str {
    finished.stdout.lines().last().unwrap_or_default()
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

async fn expect(person: &Person, files: &[(String, Vec<u8>)]) {
    for (path, bytes) in files {
        assert_eq!(person.get(path).await.bytes().await.unwrap(), *bytes, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_move_to_s3_while_a_node_serves_them() {
    let s3 = S3Server::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let directory = format!("file://{}", data_dir.join("attachments").display());
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("a move").await;
    let mut files = Vec::new();
    for (number, length) in (0_u8..).zip([1, 20_000, 100_000, 6_000_000]) {
        let bytes = vec![number; length];
        files.push((send_file(&alice, &session, "old.bin", bytes.clone()).await, bytes));
    }
    stop(server).await;

    // Both places from now on: what is written goes to the new one.
    let both = |command: &mut Command| {
        on(&s3)(command);
        command.env("CHAT_ATTACHMENTS_FALLBACK_URL", &directory);
    };
    let server = TestServer::start_on(&data_dir, both).await;
    let alice = alice.at(server.addr);
    files.push((send_file(&alice, &session, "new.bin", "new").await, b"new".to_vec()));
    expect(&alice, &files).await;

    // The service refuses the first file and the last one; the same command copies them later.
    let names = [("PUT", &files[0]), ("POST", &files[3])].map(|(method, (path, _))| {
        let name: &'static str = path.rsplit('/').next().unwrap().to_owned().leak();
        s3.fail(S3RequestFilter::requests(method, name), S3Fault::Status(403, "AccessDenied"));
        name
    });
    let broken = migrate(&s3, &data_dir, &directory, &url(&s3));
    assert_eq!(broken.code, 1, "{}", broken.stdout);
    for name in names {
        assert!(broken.stdout.contains(&format!("failed\t{name}\t")), "{}", broken.stdout);
    }
    assert_eq!(summary(&broken), "2 files copied (120000 bytes), 0 were there, 0 gone meanwhile, 0 damaged, 2 failed");
    assert!(broken.stderr.contains("run the same command again"), "{}", broken.stderr);
    s3.heal();
    let moved = migrate(&s3, &data_dir, &directory, &url(&s3));
    assert_eq!(moved.code, 0, "{}", moved.stderr);
    assert_eq!(summary(&moved), "2 files copied (6000001 bytes), 2 were there, 0 gone meanwhile, 0 damaged, 0 failed");
    let again = migrate(&s3, &data_dir, &directory, &url(&s3));
    assert_eq!(summary(&again), "0 files copied (0 bytes), 4 were there, 0 gone meanwhile, 0 damaged, 0 failed");
    stop(server).await;

    // The old place is not needed any more.
    fs::rename(data_dir.join("attachments"), home.path().join("old")).unwrap();
    let server = TestServer::start_on(&data_dir, on(&s3)).await;
    expect(&alice.at(server.addr), &files).await;
    stop(server).await;

    let back = format!("file://{}", home.path().join("back").display());
    let moved = migrate(&s3, &data_dir, &url(&s3), &back);
    assert_eq!(
        summary(&moved),
        "5 files copied (6120004 bytes), 0 were there, 0 gone meanwhile, 0 damaged, 0 failed",
        "{}",
        moved.stderr
    );
    let server = TestServer::start_on(&data_dir, |command| {
        command.env("CHAT_ATTACHMENTS_URL", &back);
    })
    .await;
    expect(&alice.at(server.addr), &files).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_has_rotted_is_named_and_not_copied() {
    let s3 = S3Server::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("rot").await;
    let sent = send_file(&alice, &session, "old.txt", "old").await;
    let sent = sent.rsplit('/').next().unwrap();
    let unsent = alice.request(Method::POST, &format!("/api/chat/sessions/{session}/attachments")).body("old");
    let unsent = Person::json(unsent.send().await.unwrap(), 201).await;
    let unsent = unsent["id"].as_str().unwrap();
    let objects = data_dir.join("attachments/objects");
    let directory = format!("file://{}", data_dir.join("attachments").display());
    for id in [sent, unsent] {
        let file = files_below(&objects).into_iter().find(|file| file.ends_with(id)).unwrap();
        fs::write(&file, "rot").unwrap();
    }
    let refused = migrate(&s3, &data_dir, &directory, &url(&s3));
    assert_eq!(refused.code, 1);
    for id in [sent, unsent] {
        assert!(refused.stdout.contains(&format!("damaged\t{id}\n")), "{}", refused.stdout);
        assert!(!s3.objects().join("desk/objects").join(id).exists());
    }
    let same = migrate(&s3, &data_dir, &directory, &directory);
    assert!(same.code == 1 && same.stderr.contains("the same place"), "{}", same.stderr);
    let other = migrate(&s3, &home.path().join("other"), &directory, &url(&s3));
    assert_eq!(other.code, 1, "{}", other.stdout);
}
