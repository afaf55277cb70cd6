//! Clients that do everything wrong: they take neither the log nor the descriptors.

use std::process::{Command, Stdio};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, Person, Scrape, TestServer};

/// Requests that are none, and forms that are none.
fn malformed() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET /health z HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        // Chunks that are none, with more behind them.
        "POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
        "POST /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n1\r\nb\r\n0\r\n\r\n",
        // TLS, SSH, HTTP/2, and a WebSocket frame.
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /ws/chat/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\u{1}\u{2}",
        "GET /%ff%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /api/chat/sessions/%2e%2e/messages HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    all.push(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(100_000)).into_bytes());
    all.push(format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(10_000)).into_bytes());
    all
}

fn forms(alice: &Person, session: &str) -> Vec<Vec<u8>> {
    let part = "--b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\n";
    let file = "--b\r\nContent-Disposition: form-data; name=\"attachments[0]\"; filename=\"a\"\r\n\r\n";
    [
        "no form\r\n".to_owned(),
        format!("{part}hello"),
        format!("{part}hello\r\n--b"),
        format!("{part}hello\r\n--bb\r\n"),
        format!("{part}hello\r\n--b garbage\r\n--b--\r\n"),
        format!("{file}{}\r\n--bx\r\n--b--garbage", "x".repeat(1_000)),
        "--b\r\n\r\nhello\r\n--b--\r\n".to_owned(),
        format!("{}hello\r\n--b--\r\n", part.replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n")),
        format!("{}hello\r\n--b--\r\n", part.replace("content", "unknown")),
    ]
    .into_iter()
    .map(|body| {
        let head = format!(
            "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
             Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            alice.token,
            body.len()
        );
        (head + &body).into_bytes()
    })
    .collect()
}

/// Sends bytes, says that there will be no more, and reads until the server has closed.
async fn exchange(server: &TestServer, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    // The server may hang up before it has read them all, and either way of closing will do.
    let _hung_up = stream.write_all(bytes).await;
    let _hung_up = stream.shutdown().await;
    let mut answer = Vec::new();
    let _reset = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
}

/// Lines of the log that an operator is woken by.
fn alarming(log: &[String]) -> Vec<&String> {
    let level = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?.get("level")?.as_str()?.to_owned());
    log.iter().filter(|line| level(line).is_none_or(|level| level == "WARN" || level == "ERROR")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_counted_and_leave_no_warning() {
    let home = tempfile::tempdir().unwrap();
    let server = TestServer::start_on(&home.path().join("data"), |command| {
        // Whatever an operator has chosen.
        command.env("CHAT_LOG", "debug");
    })
    .await;
    let alice = server.person("alice", "user");
    let session = alice.open_session("abused").await;
    let series = "chat_http_connections_ended_total{reason=\"malformed\"}";
    assert_eq!(Scrape::of(&server).await.value(series), "0");
    for bytes in malformed().iter().chain(&forms(&alice, &session)) {
        exchange(&server, bytes).await;
    }
    // A client that resets the connection in the middle of its response, and one in the middle of its body.
    for request in [
        "GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /api/chat/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
    ] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.set_zero_linger().unwrap();
    }
    // Those that are no HTTP at all; others are answered as any request.
    assert!(Scrape::of(&server).await.number(series) >= 12.0);
    server.signal("TERM");
    let (_, log) = server.ended().await;
    assert!(log.iter().any(|line| line.contains("refused bytes that are no HTTP request")), "logged at DEBUG");
    assert_eq!(alarming(&log), Vec::<&String>::new());
}

/// Starts the server with this limit of open files, as `ulimit` sets it: `-Sn` for the soft one alone.
async fn with_limit(data_dir: &std::path::Path, flag: &str, limit: u32) -> TestServer {
    TestServer::start_on(data_dir, |command| {
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit {flag} {limit} && exec \"$@\"")).arg("sh").arg(program).args(arguments);
        shell.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        shell.current_dir(data_dir.parent().unwrap());
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        *command = shell;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_descriptors_leave_the_server_alive_and_its_log_quiet() {
    const CONNECTIONS: usize = 400;
    let home = tempfile::tempdir().unwrap();
    let server = with_limit(&home.path().join("data"), "-n", 256).await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let request = b"POST /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(request).await.unwrap();
        held.push(stream);
    }
    // Behind all of them, which are still open on their side. How long it takes is measured by `chat-loadgen occupy`.
    let answer = timeout(4 * PATIENCE, reqwest::get(server.url("/healthz"))).await;
    assert_eq!(answer.expect("an answer").unwrap().status(), 200);
    drop(held);
    let scrape = Scrape::of(&server).await;
    assert_eq!(scrape.value("process_max_fds"), "256");
    assert!(scrape.number("chat_http_connections_limit") < 128.0);
    server.signal("TERM");
    let (_, log) = server.ended().await;
    assert_eq!(alarming(&log), Vec::<&String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_open_files_is_raised_and_logged() {
    let home = tempfile::tempdir().unwrap();
    let server = with_limit(&home.path().join("data"), "-Sn", 300).await;
    let limit = Scrape::of(&server).await.number("process_max_fds");
    assert!(limit > 300.0, "{limit}");
    server.stderr.wait_for(PATIENCE, |log| {
        log.iter().find(|line| line.contains(&format!("the limit of open files is {limit}: at most"))).map(|_| ())
    });
}
