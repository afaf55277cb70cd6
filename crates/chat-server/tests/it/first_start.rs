//! What a newcomer finds after the first start.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use reqwest::Client;
use serde_json::Value;

use crate::support::{PATIENCE, Person, TestServer};

const SECRET: &str = "development-secret";
const TOKENS: &str = "development-tokens";

fn secret(server: &TestServer) -> String {
    fs::read_to_string(server.data_dir().join(SECRET)).unwrap()
}

/// What a newcomer reads. The tests are no terminal, so it is in a file, which the log names.
fn greeting(server: &TestServer) -> Vec<String> {
    let file = server.stderr.wait_for(PATIENCE, |lines| lines.iter().find_map(|line| file_of(line)));
    fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

fn file_of(line: &str) -> Option<String> {
    Some(serde_json::from_str::<Value>(line).ok()?.get("development.file")?.as_str()?.to_owned())
}

/// The tokens in the order in which they come: alice, bob, root.
fn tokens(greeting: &[String]) -> Vec<String> {
    greeting.iter().map(|line| line.trim()).filter(|line| line.starts_with("eyJ")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_tokens_are_those_of_a_customer_an_agent_and_an_admin() {
    let server = TestServer::start().await;
    let greeting = greeting(&server);
    for path in ["/", "/console", "/docs"] {
        let url = server.url(path);
        assert!(greeting.iter().any(|line| line.split_whitespace().nth(1) == Some(&url)), "{url}: {greeting:#?}");
    }
    let tokens = tokens(&greeting);
    assert_eq!(tokens.len(), 3, "{greeting:#?}");
    let [alice, bob, root] = [0, 1, 2].map(|place| Person::new(server.addr, &tokens[place]));
    let session = alice.open_session("hello").await;
    let assign = format!("/api/chat/sessions/{session}/assign");
    // Bob is in the directory before his first request, so an admin can give him a session.
    let assigned = root.put(&assign, &serde_json::json!({ "agentId": "bob" })).await;
    assert_eq!(Person::json(assigned, 200).await["agentId"], "bob");
    assert_eq!(bob.get(&format!("/api/chat/sessions/{session}")).await.status(), 200);
    assert_eq!(root.get("/api/chat/stats").await.status(), 200);
    assert_eq!(alice.get("/api/chat/stats").await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_for_its_owner_alone_and_outlives_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |_| {}).await;
    assert_eq!(fs::metadata(data_dir.join(SECRET)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&data_dir).unwrap().permissions().mode() & 0o777, 0o700);
    let first = secret(&server);
    let alice = tokens(&greeting(&server)).remove(0);
    server.kill();

    let server = TestServer::start_on(&data_dir, |_| {}).await;
    assert_eq!(secret(&server), first);
    let session = Person::new(server.addr, &alice).open_session("still me").await;
    assert!(!session.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_curl_opens_a_session_when_it_is_pasted_into_a_shell() {
    let server = TestServer::start().await;
    let greeting = greeting(&server);
    let begin = greeting.iter().position(|line| line.trim_start().starts_with("curl ")).unwrap();
    let pasted = greeting[begin..].join("\n");

    let answer = send(&arguments(&pasted)).await;
    assert_eq!(Person::json(answer, 201).await["userId"], "alice");
}

/// What curl would be called with: a real shell reads the line, in which a function stands for curl, so the test needs
/// no curl.
fn arguments(pasted: &str) -> Vec<String> {
    let mut shell = Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}\n{pasted}\n");
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Does what curl does with `-sS`, `-H`, `-d` (which makes it a `POST`) and a URL; nothing else is understood.
async fn send(arguments: &[String]) -> reqwest::Response {
    let mut request = None;
    let (mut headers, mut body) = (Vec::new(), None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-sS" => {}
            "-H" => headers.push(arguments.next().unwrap().split_once(": ").unwrap()),
            "-d" => body = Some(arguments.next().unwrap().clone()),
            url if url.starts_with("http://") => request = Some(Client::new().post(url)),
            other => panic!("curl was not expected to be given {other:?}"),
        }
    }
    let body = body.expect("a body, which makes it a POST");
    let _is_json: Value = serde_json::from_str(&body).unwrap();
    let request = headers.into_iter().fold(request.unwrap(), |request, (name, value)| request.header(name, value));
    request.body(body).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_tokens_are_in_a_file_for_its_owner_and_in_no_output() {
    let server = TestServer::start().await;
    let tokens = tokens(&greeting(&server));
    let file = server.data_dir().join(TOKENS);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (stdout, stderr) = (server.stdout.clone(), server.stderr.clone());
    server.kill();
    assert_eq!(stdout.all(), Vec::<String>::new());
    let logged = stderr.all();
    assert_eq!(tokens.len(), 3);
    assert!(!logged.iter().any(|line| tokens.iter().any(|token| line.contains(token))), "{logged:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_development_mode_a_proxy_is_refused_and_with_a_secret_it_is_not() {
    let through_a_proxy = async |server: &TestServer| {
        let request = Client::new().get(server.url("/healthz")).header("X-Forwarded-For", "192.0.2.1");
        request.send().await.unwrap()
    };
    let server = TestServer::start().await;
    let refused = Person::json(through_a_proxy(&server).await, 403).await;
    assert_eq!(refused["error"]["code"], "DEVELOPMENT_MODE");
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        command.env("CHAT_JWT_SECRET", "0123456789abcdef0123456789abcdef");
    })
    .await;
    assert_eq!(through_a_proxy(&server).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_secret_of_the_operators_no_tokens_are_made() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = TestServer::start_on(&data_dir, |command| {
        command.env("CHAT_JWT_SECRET", "0123456789abcdef0123456789abcdef");
    })
    .await;
    assert!(!data_dir.join(SECRET).exists());
    assert!(!data_dir.join(TOKENS).exists());
    let stdout = server.stdout.clone();
    server.kill();
    assert_eq!(stdout.all(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_database_is_refused() {
    let server = TestServer::start().await;
    let second = crate::support::run(crate::support::chat_server(server.data_dir()).args(["--listen", "127.0.0.1:0"]));
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("another chat-server uses the database"), "{}", second.stderr);
}
