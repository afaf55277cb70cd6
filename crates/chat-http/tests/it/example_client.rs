//! The example client of the socket's reference, as it stands there, under Node.js and over a network that fails.

mod proxy;

use std::env;
use std::process::Stdio;
use std::time::Duration;

use chat_domain::model::Role;
use chat_domain::ports::Clock;
use chat_http::{HttpSettings, SocketSettings};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_tungstenite::tungstenite::Message;

use self::proxy::Proxy;
use crate::support::app::{Options, token};
use crate::support::{Store, TestApp, TestSocket};

/// Where `cargo xtask test` has put what is needed.
const PACKAGES: &str = "CHAT_TEST_NODE_PACKAGES";
/// How long a test waits for what must come in the end, on a machine that may be busy.
const LIMIT: Duration = Duration::from_mins(2);
/// How long the client waits for a response; only a network that is silent makes it wait so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between heartbeats where the network is never silent.
const UNHURRIED: Duration = Duration::from_secs(10);

/// The client's code, as readers of the reference copy it.
fn example() -> String {
    let page = chat_http::websocket_reference();
    let blocks = page.split("```js\n").skip(1).filter_map(|rest| rest.split("```").next());
    let clients: Vec<&str> = blocks.filter(|block| block.contains("function follow(")).collect();
    assert_eq!(clients.len(), 1, "the reference has one example client");
    clients[0].to_owned()
}

/// The example client in a process of its own.
struct Client {
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    _example: NamedTempFile,
}

impl Client {
    /// Starts a client that follows a session through `server`. When it needs a newer token, it takes the next of the
    /// list.
    fn start(server: &str, session: &str, tokens: &[String]) -> Self {
        let packages = env::var(PACKAGES).unwrap_or_else(|_| panic!("{PACKAGES} is not set: run `cargo xtask test`"));
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), example()).unwrap();
        let settings = json!({
            "packages": packages, "example": file.path(), "server": server, "session": session, "tokens": tokens,
            "patience": u64::try_from(PATIENCE.as_millis()).unwrap(),
        });
        let harness = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/example_client/harness.mjs");
        let mut command = Command::new("node");
        command.arg(harness).arg(settings.to_string());
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("Node.js starts");
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let input = process.stdin.take();
        Self { process, input, output, _example: file }
    }

    async fn lead(&mut self, command: Value) {
        let line = format!("{command}\n");
        self.input.as_mut().unwrap().write_all(line.as_bytes()).await.unwrap();
    }

    /// What the client tells next; `None` when its process has ended.
    async fn next(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(LIMIT, self.output.next_line()).await.expect("a line in time").unwrap();
        line.map(|line| serde_json::from_str(&line).unwrap())
    }

    /// Everything up to the line that says `last`.
    async fn until(&mut self, last: &Value) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.next().await.unwrap_or_else(|| panic!("{last} before the end; there were {lines:?}"));
            let is_last = line == *last;
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }

    /// Everything up to the line that shows a message of this text.
    async fn until_shown(&mut self, content: &str) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.next().await.unwrap_or_else(|| panic!("{content} before the end; there were {lines:?}"));
            let is_last = line["shown"] == "message" && line["content"] == content;
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }
}

fn texts(lines: &[Value], field: &str) -> Vec<String> {
    let of = |line: &Value| (!line[field].is_null()).then(|| line["content"].as_str().map(str::to_owned)).flatten();
    lines.iter().filter_map(of).collect()
}

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

async fn stored(app: &TestApp, session: &str) -> Vec<String> {
    let page = app.get("root", &format!("/api/chat/sessions/{session}/messages?limit=100")).await.expect(200);
    page["messages"].as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

/// A silent network is noticed after one and a half times `heartbeat`, and so is a machine that does nothing for as long;
/// the server itself gives nothing up meanwhile.
async fn app(heartbeat: Duration) -> TestApp {
    let sockets = SocketSettings {
        ping_every: heartbeat,
        silence_limit: Duration::from_mins(5),
        write_limit: Duration::from_mins(5),
        ..SocketSettings::default()
    };
    let http = HttpSettings { sockets, ..HttpSettings::default() };
    TestApp::with(Store::Sqlite, Options { http, ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js: cargo xtask test"]
async fn the_example_client_leaves_a_silent_network_and_loses_nothing() {
    let app = app(Duration::from_secs(1)).await;
    let session = app.open_assigned("alice", "bob").await;
    let proxy = Proxy::start(&app.base).await;
    let mut client = Client::start(&format!("http://{}", proxy.addr), &session, &[app.token_of("alice")]);
    client.until(&json!({ "online": true })).await;
    app.say("bob", &session, "before").await;
    let mut lines = client.until_shown("before").await;

    proxy.fall_silent();
    // Typed before the client notices that the network is gone, and answered by an agent whose network works.
    let (typed, heard) = (numbered("typed ", 5), numbered("heard ", 5));
    client.lead(json!({ "send": typed })).await;
    for content in &heard {
        app.say("bob", &session, content).await;
    }
    let noticed = client.until(&json!({ "online": false })).await;
    assert_eq!(texts(&noticed, "shown"), Vec::<String>::new(), "a silent network carries nothing");
    lines.extend(noticed);

    proxy.recover();
    // The client sends each message when the one before is stored, so the last one comes last.
    lines.extend(client.until(&json!({ "sent": typed[4] })).await);
    app.say("bob", &session, "after").await;
    lines.extend(client.until_shown("after").await);

    let shown: Vec<u64> =
        lines.iter().filter(|line| line["shown"] == "message").map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(shown.is_sorted_by(|a, b| a < b), "each once and in order: {shown:?}");
    let stored = stored(&app, &session).await;
    assert_eq!(texts(&lines, "shown"), stored, "everything that is stored was shown, in its order");
    assert_eq!(stored.len(), 12, "{stored:?}");
    let own: Vec<&String> = stored.iter().filter(|content| content.starts_with("typed")).collect();
    assert_eq!(own, typed.iter().collect::<Vec<_>>(), "as they were typed");

    client.lead(json!({ "stop": true })).await;
    while client.next().await.is_some() {}
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js: cargo xtask test"]
async fn the_example_client_renews_its_token_without_leaving_its_socket() {
    let app = app(UNHURRIED).await;
    let session = app.open_session("alice").await;
    let now = app.clock.now();
    let short = token("alice", Role::User, now, now.plus(Duration::from_secs(20)));
    let proxy = Proxy::start(&app.base).await;
    let tokens = [short, app.token_of("alice")];
    let mut client = Client::start(&format!("http://{}", proxy.addr), &session, &tokens);
    let mut lines = client.until(&json!({ "renewed": true })).await;
    // A socket that was opened later, with a token of another second, says when the first one has ended for sure.
    let longer = token("alice", Role::User, now, now.plus(Duration::from_secs(21)));
    let (mut witness, _) = TestSocket::open_extended(&app.base, &session, "", &longer).await;
    while let Some(message) = witness.raw().await {
        if let Message::Close(frame) = message {
            assert_eq!(u16::from(frame.expect("a code").code), 4401);
            break;
        }
    }
    app.say("alice", &session, "still here").await;
    lines.extend(client.until_shown("still here").await);
    let lost = json!({ "online": false });
    assert!(!lines.contains(&lost), "{lines:?}");
    // One for the socket, one for the reading of the messages.
    assert_eq!(proxy.accepted(), 2);
    client.lead(json!({ "stop": true })).await;
    while client.next().await.is_some() {}
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js: cargo xtask test"]
async fn the_example_client_stores_what_was_typed_in_the_order_of_typing() {
    let app = app(UNHURRIED).await;
    let session = app.open_session("alice").await;
    let mut client = Client::start(&app.base, &session, &[app.token_of("alice")]);
    let typed = numbered("typed ", 20);
    client.lead(json!({ "send": typed })).await;
    client.until(&json!({ "sent": typed[19] })).await;
    assert_eq!(stored(&app, &session).await, typed);
    // A refused message is reported, and the next ones are sent.
    client.lead(json!({ "send": [" ", "and on"] })).await;
    client.until(&json!({ "refused": " ", "why": "VALIDATION_FAILED" })).await;
    client.until(&json!({ "sent": "and on" })).await;
    client.lead(json!({ "stop": true })).await;
    while client.next().await.is_some() {}
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js: cargo xtask test"]
async fn the_example_client_stops_when_asked_and_when_access_is_lost() {
    let app = app(UNHURRIED).await;
    let session = app.open_assigned("alice", "bob").await;
    app.put("root", "/api/chat/agents/carol", json!({})).await.expect(201);
    let mut alice = Client::start(&app.base, &session, &[app.token_of("alice")]);
    let mut bob = Client::start(&app.base, &session, &[app.token_of("bob")]);
    for client in [&mut alice, &mut bob] {
        client.until(&json!({ "online": true })).await;
    }
    let transfer = app.request("bob", Method::PUT, &format!("/api/chat/sessions/{session}/transfer"));
    crate::support::app::send(transfer.json(&json!({ "agentId": "carol" }))).await.expect(200);
    bob.until(&json!({ "over": 4403 })).await;
    alice.lead(json!({ "stop": true })).await;
    app.until_no_session_is_watched().await;
    // The end of the input is all that Bob's process waits for, and nothing is what Alice's does.
    bob.input = None;
    for client in [&mut alice, &mut bob] {
        while client.next().await.is_some() {}
        let status = tokio::time::timeout(LIMIT, client.process.wait()).await.expect("an end in time").unwrap();
        assert!(status.success(), "{status}");
    }
    app.stop().await;
}
