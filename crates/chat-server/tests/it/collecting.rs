//! Stored files that no message refers to are collected; what a person stored is not, whatever an operator mistakes for
//! what.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use test_servers::postgres::PrivatePostgres;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Finished, PATIENCE, Person, TestServer, chat_server, eventually, run};

/// The shortest waits there are.
const SHORT: [&str; 3] = ["--orphan-check-every=1s", "--orphan-mark-after=1s", "--orphan-remove-after=1s"];

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn option(name: &str, scheme: &str, path: &Path) -> OsString {
    let mut option = OsString::from(format!("{name}={scheme}"));
    option.push(path);
    option
}

/// All stored files.
fn stored(attachments: &Path) -> Vec<PathBuf> {
    let Ok(buckets) = fs::read_dir(attachments.join("objects")) else { return Vec::new() };
    buckets.flat_map(|bucket| fs::read_dir(bucket.unwrap().path()).unwrap()).map(|file| file.unwrap().path()).collect()
}

/// Makes a file look as if it had been stored the day before yesterday.
fn age(file: &Path) {
    let long_ago = SystemTime::now() - Duration::from_hours(48);
    File::options().append(true).open(file).unwrap().set_modified(long_ago).unwrap();
}

/// Sends a file and returns the path under which it is downloaded.
async fn send_file(person: &Person, session: &str, content: &'static str) -> String {
    let form = Form::new().part("attachments[0]", Part::text(content).file_name("kept.txt"));
    let request = person.request(Method::POST, &format!("/api/chat/sessions/{session}/messages"));
    let message = Person::json(request.multipart(form).send().await.unwrap(), 201).await;
    format!("/api/chat/attachments/{}", message["attachments"][0]["id"].as_str().unwrap())
}

/// Stops a server in good order, once it has begun a generation.
async fn stop(server: TestServer, attachments: &Path) {
    eventually("a generation has begun", async || attachments.join("collector").exists()).await;
    server.signal("TERM");
    assert!(server.ended().await.0.success());
}

/// Waits until a server has refused several rounds.
fn wait_for_refusals(server: &TestServer) {
    let refused = |line: &&String| line.contains("this server does not collect stored files");
    server.stderr.wait_for(PATIENCE, |lines| (lines.iter().filter(refused).count() >= 4).then_some(()));
}

fn attachments(data_dir: &Path, arguments: &[OsString]) -> Finished {
    run(chat_server(data_dir).arg("attachments").args(arguments))
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_a_copy_of_an_sqlite_database_collects_nothing_until_it_is_adopted() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let files = data_dir.join("attachments");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("before and after the copy").await;
    send_file(&alice, &session, "before").await;
    stop(server, &files).await;
    let copy = home.path().join("copy.db");
    fs::copy(data_dir.join("chat.db"), &copy).unwrap();
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let after = send_file(&alice.at(server.addr), &session, "after").await;
    stop(server, &files).await;
    for file in stored(&files) {
        age(&file);
    }

    let on_copy = option("--database-url", "sqlite://", &copy);
    let server = TestServer::start_on(&data_dir, |command| {
        command.args(SHORT).arg(&on_copy);
    })
    .await;
    wait_for_refusals(&server);
    stop(server, &files).await;
    assert_eq!(stored(&files).len(), 2, "the copy does not know one of them");
    let collect = [words(&["collect", "--force"]), words(&SHORT), vec![on_copy.clone()]].concat();
    let refused = attachments(&data_dir, &collect);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("chat-server attachments adopt"), "{}", refused.stderr);
    assert_eq!(stored(&files).len(), 2);

    let server = TestServer::start_on(&data_dir, |command| {
        command.args(SHORT);
    })
    .await;
    assert_eq!(alice.at(server.addr).get(&after).await.text().await.unwrap(), "after");
    let checked = attachments(&data_dir, &words(&["check"]));
    assert_eq!(
        (checked.code, checked.stdout.as_str()),
        (0, "2 files of messages, 0 of them missing; without a message 0 marked, 0 unknown\n")
    );
    stop(server, &files).await;
    assert_eq!(attachments(&data_dir, &words(&["collect"])).code, 0, "the original may");

    // What an operator does after a restore.
    let adopted = attachments(&data_dir, &[words(&["adopt"]), vec![on_copy.clone()]].concat());
    assert_eq!(adopted.code, 0, "{}", adopted.stderr);
    assert_eq!(attachments(&data_dir, &[words(&["collect"]), vec![on_copy]].concat()).code, 0);
    assert_eq!(attachments(&data_dir, &words(&["collect"])).code, 1, "and the other one may not any more");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_server_on_a_copy_of_a_postgres_database_collects_nothing_beside_the_original() {
    let postgres = PrivatePostgres::start(&[("fsync", "off")]).unwrap();
    postgres.sql("postgres", "CREATE DATABASE chat").unwrap();
    let home = tempfile::tempdir().unwrap();
    let files = home.path().join("attachments");
    let start = async |name: &str, database: &str, options: &[&str]| {
        TestServer::start_on(&home.path().join(name), |command| {
            command.env("CHAT_DATABASE_URL", postgres.url(database)).env("CHAT_JWT_SECRET", SECRET);
            command.env("CHAT_ATTACHMENTS_URL", format!("file://{}", files.display())).args(options);
        })
        .await
    };
    let server = start("first", "chat", &[]).await;
    let token = run(chat_server(&home.path().join("first"))
        .env("CHAT_JWT_SECRET", SECRET)
        .args(["token", "--sub", "alice", "--role", "user"]));
    let alice = Person::new(server.addr, token.stdout.trim_end());
    let session = alice.open_session("before and after the copy").await;
    send_file(&alice, &session, "before").await;
    stop(server, &files).await;
    postgres.sql("postgres", "CREATE DATABASE staging TEMPLATE chat").unwrap();
    let original = start("second", "chat", &[]).await;
    let alice = alice.at(original.addr);
    let after = send_file(&alice, &session, "after").await;
    for file in stored(&files) {
        age(&file);
    }

    let copy = start("copy", "staging", &SHORT).await;
    wait_for_refusals(&copy);
    assert_eq!(stored(&files).len(), 2, "the copy does not know one of them");
    assert_eq!(alice.get(&after).await.text().await.unwrap(), "after");
    stop(copy, &files).await;
    stop(original, &files).await;
    // The original has not been disturbed.
    let mut collect = chat_server(&home.path().join("second"));
    collect.env("CHAT_DATABASE_URL", postgres.url("chat")).env("CHAT_JWT_SECRET", SECRET);
    collect.env("CHAT_ATTACHMENTS_URL", format!("file://{}", files.display()));
    let collected = run(collect.args(["attachments", "collect"]));
    assert_eq!(collected.code, 0, "{}", collected.stderr);
}

/// A message with two files whose sender is slow: the second file does not end before `finish`.
struct SlowUpload(TcpStream);

impl SlowUpload {
    async fn begin(alice: &Person, session: &str) -> Self {
        let mut upload = Self(TcpStream::connect(alice.addr()).await.unwrap());
        let head = format!(
            "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: chat\r\nAuthorization: Bearer {}\r\n\
             Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n",
            alice.token
        );
        upload.0.write_all(head.as_bytes()).await.unwrap();
        let file = |n: u8| {
            format!("--b\r\nContent-Disposition: form-data; name=\"attachments[{n}]\"; filename=\"{n}.txt\"\r\n\r\n")
        };
        upload.chunk(&format!("{}first\r\n{}", file(0), file(1))).await;
        upload
    }

    async fn chunk(&mut self, text: &str) {
        self.0.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await.unwrap();
    }

    /// Sends at the pace of a slow line for as long as it takes.
    async fn until(&mut self, mut done: impl FnMut() -> bool) {
        let line = "second ".repeat(200);
        let sending = async || {
            if done() {
                return true;
            }
            self.chunk(&line).await;
            false
        };
        eventually("what the upload lasts for", sending).await;
    }

    /// The status of the answer.
    async fn end(mut self) -> String {
        self.chunk("\r\n--b--\r\n").await;
        self.0.write_all(b"0\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 12];
        self.0.read_exact(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap().split_off("HTTP/1.1 ".len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_lasts_longer_than_the_collector_waits_keeps_its_files_or_is_refused() {
    for (remove_after, expected) in [("7d", "201"), ("1s", "503")] {
        let home = tempfile::tempdir().unwrap();
        let data_dir = home.path().join("data");
        let files = data_dir.join("attachments");
        let server = TestServer::start_on(&data_dir, |command| {
            command.args(["--orphan-check-every=1s", "--orphan-remove-after", remove_after]);
        })
        .await;
        let alice = server.person("alice", "user");
        let session = alice.open_session("slow").await;
        let mut upload = SlowUpload::begin(&alice, &session).await;
        upload.until(|| !stored(&files).is_empty()).await;
        let first = stored(&files).pop().unwrap();
        age(&first);
        let log = server.stderr.clone();
        if expected == "201" {
            let marked = |line: &String| line.contains("marked 1 and removed 0");
            upload.until(|| log.wait_for(PATIENCE, |lines| Some(lines.iter().any(marked)))).await;
        } else {
            upload.until(|| !first.exists()).await;
        }
        assert_eq!(upload.end().await, expected);

        let path = format!("/api/chat/sessions/{session}/messages");
        let page = Person::json(alice.get(&path).await, 200).await;
        let messages = page["messages"].as_array().unwrap();
        assert_eq!(messages.len(), usize::from(expected == "201"));
        for file in messages.iter().flat_map(|message| message["attachments"].as_array().unwrap()) {
            let id = file["id"].as_str().unwrap();
            assert_eq!(alice.get(&format!("/api/chat/attachments/{id}")).await.status(), 200, "{file}");
        }
        let checked = attachments(&data_dir, &words(&["check"]));
        assert_eq!(checked.code, 0, "{}", checked.stdout);
        assert!(!checked.stdout.contains("marked\t"), "{}", checked.stdout);
        // Repeated as a client does.
        send_file(&alice, &session, "again").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_lists_missing_marked_and_unknown_files_and_fails_for_missing_ones() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let files = data_dir.join("attachments");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("files").await;
    send_file(&alice, &session, "kept").await;
    let unknown = "0198c3a1-7b2e-7c4d-9f10-2233445566a0";
    let bucket = files.join("objects/0198c3");
    fs::create_dir_all(&bucket).unwrap();
    fs::write(bucket.join(unknown), "left behind").unwrap();
    age(&bucket.join(unknown));
    let check = || attachments(&data_dir, &words(&["check"]));
    let first = check();
    assert_eq!(
        (first.code, first.stdout),
        (
            0,
            format!(
                "unknown\t{unknown}\n1 files of messages, 0 of them missing; without a message 0 marked, 1 unknown\n"
            )
        )
    );

    let lost = send_file(&alice, &session, "lost").await;
    let lost = lost.rsplit('/').next().unwrap();
    stop(server, &files).await;
    fs::remove_file(stored(&files).into_iter().find(|file| file.ends_with(lost)).unwrap()).unwrap();
    let collected = attachments(&data_dir, &words(&["collect"]));
    assert_eq!(collected.stdout, "1 old files, 1 marked, 0 removed\n", "{}", collected.stderr);
    let second = check();
    assert_eq!(second.code, 1);
    for part in [format!("missing\t{lost}\n"), format!("marked\t{unknown}\t20")] {
        assert!(second.stdout.contains(&part), "{}", second.stdout);
    }
    assert!(second.stdout.ends_with("2 files of messages, 1 of them missing; without a message 1 marked, 0 unknown\n"));
    assert!(second.stderr.contains("restore them from a backup"), "{}", second.stderr);

    let refused = attachments(&data_dir, &words(&["collect", "--orphan-remove-after", "999ms"]));
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("must be at least 1s"), "{}", refused.stderr);
}
