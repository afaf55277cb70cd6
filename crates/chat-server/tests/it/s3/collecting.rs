//! Files without a message are collected on S3 as on a disk, and the commands of operators work there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use test_servers::s3::{S3Fault, S3RequestFilter, S3Server};

use super::{on, send_file};
use crate::support::{Finished, TestServer, chat_server, eventually, run};

/// Where the objects lie on the server.
fn objects(s3: &S3Server) -> PathBuf {
    s3.objects().join("desk/objects")
}

/// Makes an object look as if it had been stored the day before yesterday.
fn age(file: &Path) {
    let long_ago = SystemTime::now() - Duration::from_hours(48);
    File::options().append(true).open(file).unwrap().set_modified(long_ago).unwrap();
}

fn command(s3: &S3Server, data_dir: &Path, arguments: &[&str]) -> Finished {
    let mut command = chat_server(data_dir);
    on(s3)(&mut command);
    run(command.args(arguments))
}

const ORPHAN: &str = "0198c3a1-7b2e-7c4d-9f10-2233445566a0";

#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_a_message_is_marked_and_removed_and_others_stay() {
    let s3 = S3Server::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |command| {
        on(&s3)(command);
        command.args(["--orphan-check-every=1s", "--orphan-mark-after=1h", "--orphan-remove-after=1s"]);
    })
    .await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("kept").await;
    let kept = send_file(&alice, &session, "kept.txt", "kept").await;
    fs::write(objects(&s3).join(ORPHAN), "left behind").unwrap();
    for entry in fs::read_dir(objects(&s3)).unwrap() {
        age(&entry.unwrap().path());
    }
    eventually("the orphan is removed", async || !objects(&s3).join(ORPHAN).exists()).await;
    assert_eq!(alice.get(&kept).await.text().await.unwrap(), "kept");
    assert!(s3.objects().join("desk/collector").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_operators_work_on_s3() {
    let s3 = S3Server::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, on(&s3)).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("checked").await;
    let kept = send_file(&alice, &session, "kept.txt", "kept").await;
    fs::write(objects(&s3).join(ORPHAN), "left behind").unwrap();
    age(&objects(&s3).join(ORPHAN));
    let checked = command(&s3, &data_dir, &["attachments", "check"]);
    let expected =
        format!("unknown\t{ORPHAN}\n1 files of messages, 0 of them missing; without a message 0 marked, 1 unknown\n");
    assert_eq!((checked.code, checked.stdout), (0, expected), "{}", checked.stderr);

    let examined = command(&s3, &data_dir, &["doctor", "--json"]);
    let report: Value = serde_json::from_str(&examined.stdout).unwrap();
    let of_attachments = |report: &Value| {
        report["checks"].as_array().unwrap().iter().find(|check| check["check"] == "attachments").unwrap().clone()
    };
    assert_eq!(of_attachments(&report)["status"], "ok", "{report:#}");
    s3.fail(S3RequestFilter::requests("PUT", ""), S3Fault::Status(403, "AccessDenied"));
    let examined = command(&s3, &data_dir, &["doctor", "--json"]);
    let found = of_attachments(&serde_json::from_str(&examined.stdout).unwrap());
    assert_eq!(found["status"], "fail");
    assert!(found["finding"].as_str().unwrap().contains("AccessDenied"), "{found}");
    s3.heal();

    eventually("a generation has begun", async || s3.objects().join("desk/collector").exists()).await;
    server.signal("TERM");
    assert!(server.ended().await.0.success());
    let collected = command(&s3, &data_dir, &["attachments", "collect"]);
    assert_eq!(collected.stdout, "1 old files, 1 marked, 0 removed\n", "{}", collected.stderr);
    let adopted = command(&s3, &data_dir, &["attachments", "adopt"]);
    assert_eq!(adopted.code, 0, "{}", adopted.stderr);

    // A copy of the database may read, and collects nothing.
    let copy = home.path().join("copy.db");
    fs::copy(data_dir.join("chat.db"), &copy).unwrap();
    let on_copy = format!("sqlite://{}", copy.display());
    let refused = command(&s3, &data_dir, &["attachments", "collect", "--force", "--database-url", &on_copy]);
    assert!(refused.code == 1 && refused.stderr.contains("chat-server attachments adopt"), "{}", refused.stderr);

    for arguments in [&["backup", "somewhere"][..], &["restore", "somewhere"]] {
        let refused = command(&s3, &data_dir, arguments);
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains("S3") || arguments[0] == "restore", "{}", refused.stderr);
    }
    let lost = kept.rsplit('/').next().unwrap();
    fs::remove_file(objects(&s3).join(lost)).unwrap();
    let checked = command(&s3, &data_dir, &["attachments", "check"]);
    assert!(checked.code == 1 && checked.stdout.contains(&format!("missing\t{lost}\n")), "{}", checked.stdout);
}
