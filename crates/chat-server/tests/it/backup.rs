//! `backup` and `restore` of the embedded default: while people write, after faults, and when they are cut off.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{ExtendedSocket, Finished, Person, TestServer, chat_server, run};

/// The key of tokens: that of development mode stays in its data directory.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A directory for a data directory and its backups.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn start(&self) -> TestServer {
        TestServer::start_on(&self.at("data"), with_secret).await
    }

    fn person(&self, server: &TestServer, sub: &str) -> Person {
        let mut token = self.command(&["token", "--sub", sub, "--role", "user"]);
        Person::new(server.addr, run(&mut token).stdout.trim_end())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = chat_server(&self.at("data"));
        command.env("CHAT_JWT_SECRET", SECRET).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        run(&mut self.command(arguments))
    }

    /// Runs a command that must succeed.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> Finished {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.stderr);
        done
    }

    /// The names of what lies there, without the data directory.
    fn others(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "data")
            .collect();
        names.sort();
        names
    }

    /// A server with a message with a file, that was stopped in good order.
    async fn with_a_message(&self) -> String {
        let server = self.start().await;
        let alice = self.person(&server, "alice");
        let session = alice.open_session("kept").await;
        send(&alice, &session, 0).await;
        stop(server).await;
        session
    }
}

fn with_secret(command: &mut Command) {
    command.env("CHAT_JWT_SECRET", SECRET);
}

async fn stop(server: TestServer) {
    server.signal("TERM");
    assert!(server.ended().await.0.success());
}

/// Sends a message with a file that has its number in it.
async fn send(person: &Person, session: &str, number: usize) -> Value {
    send_lines(person, session, number, 500).await
}

async fn send_lines(person: &Person, session: &str, number: usize, lines: usize) -> Value {
    let file = Part::bytes(format!("the file of message {number}\n").repeat(lines).into_bytes()).file_name("notes.txt");
    let form = Form::new().text("content", format!("message {number}")).part("attachments[0]", file);
    let path = format!("/api/chat/sessions/{session}/messages");
    Person::json(person.request(Method::POST, &path).multipart(form).send().await.unwrap(), 201).await
}

/// The messages that a server has, each with its file as it is downloaded.
async fn read_all(person: &Person, session: &str) -> Vec<String> {
    let (messages, _) = person.all_messages(session).await;
    for (number, message) in messages.iter().enumerate() {
        let id = message["attachments"][0]["id"].as_str().unwrap();
        let file = person.get(&format!("/api/chat/attachments/{id}")).await.text().await.unwrap();
        assert_eq!(file, format!("the file of message {number}\n").repeat(500));
    }
    messages.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

/// All files below a directory.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { directories.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The only stored file below a directory.
fn only_object(root: &Path) -> PathBuf {
    let objects = files(&root.join("attachments/objects"));
    assert_eq!(objects.len(), 1, "{objects:?}");
    objects[0].clone()
}

/// Changes a byte in the middle of a file.
fn damage(path: &Path) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.write_all(&[byte[0] ^ 0x55]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_while_people_write_is_restored_whole() {
    let desk = Desk::new();
    let server = desk.start().await;
    let alice = desk.person(&server, "alice");
    let session = alice.open_session("written to meanwhile").await;
    for number in 0..5 {
        send(&alice, &session, number).await;
    }
    let before = desk.done(&["epoch"]).stdout;
    let known = ExtendedSocket::open(server.addr, &alice.token, &session, "").await.unwrap().hello;

    let mut backup = desk.command(&["backup"]);
    let backup = tokio::task::spawn_blocking({
        let dir = desk.at("backup");
        move || run(backup.arg(dir))
    });
    let mut sent = 5;
    while !backup.is_finished() {
        send(&alice, &session, sent).await;
        sent += 1;
    }
    let backup = backup.await.unwrap();
    assert_eq!(backup.code, 0, "{}", backup.stderr);
    assert!(backup.stdout.starts_with("backed up the database and "), "{}", backup.stdout);
    stop(server).await;

    let dir = desk.at("backup");
    let restored = desk.done(&["restore", dir.to_str().unwrap(), "--replace"]);
    let epoch = desk.done(&["epoch"]).stdout;
    assert_ne!(epoch, before, "a new history begins");
    assert!(restored.stdout.contains(&format!("the epoch is now {epoch}")), "{}", restored.stdout);

    let server = desk.start().await;
    let alice = alice.at(server.addr);
    let kept = read_all(&alice, &session).await;
    assert!(kept.len() >= 5, "{kept:?}");
    assert_eq!(kept, (0..kept.len()).map(|number| format!("message {number}")).collect::<Vec<_>>());
    assert_eq!(desk.done(&["attachments", "check"]).stdout.split(' ').next(), Some(kept.len().to_string().as_str()));
    // A client that knows the old history is informed of it.
    let since = format!("?since={}&epoch={}", known.seq, known.epoch);
    let again = ExtendedSocket::open(server.addr, &alice.token, &session, &since).await.unwrap();
    assert!(!again.hello.resumed && again.hello.epoch != known.epoch, "{:?}", again.hello);
    send(&alice, &session, kept.len()).await;
    stop(server).await;
    // The restored database collects the restored files.
    desk.done(&["attachments", "collect"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_backup_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let desk = Desk::new();
    desk.with_a_message().await;
    let dir = desk.at("backup");
    desk.done(&["backup", dir.to_str().unwrap()]);
    for path in files(&dir).iter().chain([&dir]) {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{}", path.display());
    }
    assert!(dir.join("manifest.json").is_file() && dir.join("attachments/database-id").is_file());
    assert!(!dir.join("chat.db-wal").exists(), "{:?}", files(&dir));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_complete_is_none() {
    let desk = Desk::new();
    desk.with_a_message().await;
    let dir = desk.at("backup");
    let backup = ["backup", dir.to_str().unwrap()];
    let object = only_object(&desk.at("data"));

    damage(&object);
    let refused = desk.run(&backup);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("it is damaged"), "{}", refused.stderr);
    fs::remove_file(&object).unwrap();
    let refused = desk.run(&backup);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("it is missing"), "{}", refused.stderr);
    assert_eq!(desk.others(), Vec::<String>::new());

    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("precious"), "").unwrap();
    let refused = desk.run(&backup);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("is not empty"), "{}", refused.stderr);

    let postgres = desk.run(&["backup", dir.to_str().unwrap(), "--database-url", "postgres://desk@127.0.0.1:1/chat"]);
    assert_eq!(postgres.code, 1);
    assert!(postgres.stderr.contains("pg_dump"), "{}", postgres.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_refuses_a_running_node_and_a_taken_directory() {
    let desk = Desk::new();
    let session = desk.with_a_message().await;
    let dir = desk.at("backup");
    desk.done(&["backup", dir.to_str().unwrap()]);
    let server = desk.start().await;
    let alice = desk.person(&server, "alice");
    send(&alice, &session, 1).await;

    let running = desk.run(&["restore", dir.to_str().unwrap(), "--replace"]);
    assert_eq!(running.code, 1);
    assert!(running.stderr.contains("another chat-server uses the database"), "{}", running.stderr);
    assert_eq!(read_all(&alice, &session).await.len(), 2);
    stop(server).await;

    let taken = desk.run(&["restore", dir.to_str().unwrap()]);
    assert_eq!(taken.code, 1);
    assert!(taken.stderr.contains("--replace"), "{}", taken.stderr);
    let elsewhere = desk.run(&["restore", dir.to_str().unwrap(), "--database-url", "sqlite:///elsewhere.db"]);
    assert!(elsewhere.code == 1 && elsewhere.stderr.contains("--database-url"), "{}", elsewhere.stderr);

    let replaced = desk.done(&["restore", dir.to_str().unwrap(), "--replace"]);
    let others = desk.others();
    let kept = others.iter().find(|name| name.starts_with("data.replaced-")).expect("the old one is kept");
    assert!(replaced.stdout.contains(kept.as_str()), "{}", replaced.stdout);
    assert_eq!(others.len(), 2, "{others:?}");
    let server = desk.start().await;
    assert_eq!(read_all(&alice.at(server.addr), &session).await.len(), 1);
    stop(server).await;
    // The old directory is whole, and a node can be started on it.
    let old = TestServer::start_on(&desk.at(kept), with_secret).await;
    assert_eq!(read_all(&alice.at(old.addr), &session).await.len(), 2);
}

/// All of a directory.
fn give_all(root: &Path, owner: u32) {
    for path in files(root).iter().flat_map(|file| file.ancestors().take_while(|path| path.starts_with(root))) {
        std::os::unix::fs::chown(path, Some(owner), Some(owner)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_directory_belongs_to_the_owner_of_the_old_one() {
    use std::os::unix::fs::MetadataExt;

    let desk = Desk::new();
    desk.with_a_message().await;
    let (data, dir) = (desk.at("data"), desk.at("backup"));
    desk.done(&["backup", dir.to_str().unwrap()]);
    // Root alone can give files away: a node with an account of its own.
    let ours = fs::metadata(&data).unwrap().uid();
    if ours == 0 {
        give_all(&data, 65_532);
    }
    let owner = fs::metadata(&data).unwrap().uid();
    assert!(owner != 0);
    desk.done(&["restore", dir.to_str().unwrap(), "--replace"]);
    for path in files(&data).iter().flat_map(|file| file.ancestors().take_while(|path| path.starts_with(&data))) {
        assert_eq!(fs::metadata(path).unwrap().uid(), owner, "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_refuses_the_files_of_a_node_with_another_database() {
    let desk = Desk::new();
    desk.with_a_message().await;
    let dir = desk.at("backup");
    desk.done(&["backup", dir.to_str().unwrap()]);
    fs::remove_dir_all(desk.at("data")).unwrap();
    let server = TestServer::start_on(&desk.at("data"), |command| {
        with_secret(command);
        command.env("CHAT_DATABASE_URL", format!("sqlite://{}", desk.at("other.db").display()));
    })
    .await;
    let running = desk.run(&["restore", dir.to_str().unwrap(), "--replace"]);
    assert_eq!(running.code, 1, "{}", running.stdout);
    assert!(running.stderr.contains("another chat-server uses the attachments"), "{}", running.stderr);
    stop(server).await;
    desk.done(&["restore", dir.to_str().unwrap(), "--replace"]);
}

/// Changes a number in the manifest of a backup.
fn recount(dir: &Path, from: &str, to: &str) {
    let manifest = dir.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(manifest, text.replacen(from, to, 1)).unwrap();
}

/// What is wrong with a backup, how it comes to be so, and what the refusal says.
type Fault = (&'static str, fn(&Path), &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_refused_and_nothing_changes() {
    let desk = Desk::new();
    let session = desk.with_a_message().await;
    let backup = desk.at("backup");
    let faults: [Fault; 10] = [
        ("database", |dir| damage(&dir.join("chat.db")), "chat.db is damaged"),
        ("no database", |dir| fs::remove_file(dir.join("chat.db")).unwrap(), "chat.db"),
        ("attachment", |dir| damage(&only_object(dir)), "it is damaged"),
        ("no attachment", |dir| fs::remove_file(only_object(dir)).unwrap(), "it is missing"),
        ("no manifest", |dir| fs::remove_file(dir.join("manifest.json")).unwrap(), "has completed"),
        ("manifest", |dir| fs::write(dir.join("manifest.json"), "{").unwrap(), "manifest.json is damaged"),
        ("count", |dir| recount(dir, "\"attachments\": 1", "\"attachments\": 2"), "has 2 attachments"),
        (
            "bytes",
            |dir| recount(dir, "\"attachment_bytes\": ", "\"attachment_bytes\": 1"),
            "bytes, and its database 1 of",
        ),
        ("pipe", |dir| block(&dir.join("chat.db")), "chat.db is neither a file nor a directory"),
        ("link", |dir| symlink("/dev/zero", dir.join("attachments/zero")).unwrap(), "zero is neither a file"),
    ];
    for (fault, inflict, expected) in faults {
        desk.done(&["backup", backup.to_str().unwrap()]);
        inflict(&backup);
        let refused = desk.run(&["restore", backup.to_str().unwrap(), "--replace"]);
        assert_eq!(refused.code, 1, "{fault}: {}", refused.stdout);
        assert!(refused.stderr.contains(expected), "{fault}: {}", refused.stderr);
        assert_eq!(desk.others(), ["backup"], "{fault}");
        fs::remove_dir_all(&backup).unwrap();
    }
    let server = desk.start().await;
    let alice = desk.person(&server, "alice");
    assert_eq!(read_all(&alice, &session).await, ["message 0"]);
}

/// Puts a pipe without a writer in the place of a file.
fn block(path: &Path) {
    fs::rename(path, path.with_extension("aside")).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Runs a command that the kernel kills where it writes more into a file than any database here has: while it copies a
/// large attachment.
fn killed_at_a_large_attachment(desk: &Desk, arguments: &[&str]) {
    let mut limited = Command::new("sh");
    limited.env_clear().env("CHAT_DATA_DIR", desk.at("data")).env("CHAT_JWT_SECRET", SECRET);
    limited.args(["-c", "ulimit -f 4096; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_chat-server")]).args(arguments);
    let killed = limited.status().unwrap();
    assert!(killed.signal().is_some(), "{killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_leaves_none_and_the_next_one_succeeds() {
    let desk = Desk::new();
    let server = desk.start().await;
    let alice = desk.person(&server, "alice");
    send_lines(&alice, &alice.open_session("large").await, 0, 250_000).await;
    stop(server).await;
    let dir = desk.at("backup");
    let backup = ["backup", dir.to_str().unwrap()];
    killed_at_a_large_attachment(&desk, &backup);
    let partial = desk.at("backup.partial");
    assert!(partial.join("attachments/incoming").exists(), "it had begun to copy attachments");
    assert!(!dir.exists());
    let refused = desk.run(&["restore", partial.to_str().unwrap(), "--replace"]);
    assert!(refused.code == 1 && refused.stderr.contains("has completed"), "{}", refused.stderr);
    desk.done(&backup);
    assert_eq!(desk.others(), ["backup"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_changes_nothing_and_the_next_one_succeeds() {
    let desk = Desk::new();
    let server = desk.start().await;
    let alice = desk.person(&server, "alice");
    let session = alice.open_session("kept").await;
    send(&alice, &session, 0).await;
    let large = alice.open_session("large").await;
    send_lines(&alice, &large, 0, 250_000).await;
    // With a slash behind the name, as a shell completes it.
    let dir = format!("{}/", desk.at("backup").display());
    desk.done(&["backup", &dir]);
    send(&alice, &session, 1).await;
    stop(server).await;

    let restore = ["restore", &dir, "--replace"];
    killed_at_a_large_attachment(&desk, &restore);
    assert!(desk.at("data.partial/attachments/incoming").exists(), "it had begun to copy attachments");
    let server = desk.start().await;
    assert_eq!(read_all(&alice.at(server.addr), &session).await.len(), 2, "the old data is in its place");
    stop(server).await;
    desk.done(&restore);
    let server = desk.start().await;
    assert_eq!(read_all(&alice.at(server.addr), &session).await.len(), 1);
    assert!(!desk.others().contains(&"data.partial".to_owned()), "{:?}", desk.others());
}

#[test]
fn a_backup_of_a_server_that_never_ran_is_refused() {
    let desk = Desk::new();
    let refused = desk.run(&["backup", desk.at("backup").to_str().unwrap()]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("there is no database"), "{}", refused.stderr);
    assert_eq!(desk.others(), Vec::<String>::new());
}
