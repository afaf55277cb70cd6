//! Traces: what a collector receives over HTTP, and what happens without one.

use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::{PATIENCE, Person, Scrape, TestServer, eventually};

/// What no span may have.
const CANARY: &str = "canary";
/// The status that stands for no response at all.
const SILENCE: u16 = 0;

/// A collector: it takes what is posted to `/v1/traces`.
struct Collector {
    url: String,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

struct State {
    status: AtomicU16,
    bodies: Mutex<Vec<Vec<u8>>>,
}

impl Collector {
    async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State { status: AtomicU16::new(status), bodies: Mutex::default() });
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(receive(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state, serving }
    }

    fn respond_with(&self, status: u16) {
        self.state.status.store(status, Ordering::SeqCst);
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        self.state.bodies.lock().unwrap().clone()
    }

    /// All spans that were taken.
    fn spans(&self) -> Vec<Span> {
        let requests = self.bodies().into_iter().map(|body| ExportTraceServiceRequest::decode(&*body).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// The spans of a trace, once one of them has this name.
    async fn trace_with(&self, trace: &[u8], name: &str) -> Vec<Span> {
        let of_trace = || self.spans().into_iter().filter(|span| span.trace_id == trace).collect::<Vec<_>>();
        eventually(name, async || of_trace().iter().any(|span| span.name == name)).await;
        of_trace()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Takes one request.
async fn receive(stream: TcpStream, state: Arc<State>) {
    let mut stream = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "POST /v1/traces HTTP/1.1\r\n");
    loop {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let status = state.status.load(Ordering::SeqCst);
    if status == SILENCE {
        std::future::pending::<()>().await;
    }
    if status == 200 {
        state.bodies.lock().unwrap().push(body);
    }
    let response = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(response.as_bytes()).await.unwrap();
}

async fn server(home: &Path, collector: &Collector, share: &str) -> TestServer {
    TestServer::start_on(&home.join("data"), |command| {
        command.env("CHAT_OTLP_ENDPOINT", &collector.url).env("CHAT_OTLP_SHARE", share);
    })
    .await
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_a_trace_from_its_request_to_the_fan_out() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const CALLER: &str = "b7ad6b7169203331";
    let home = tempfile::tempdir().unwrap();
    let collector = Collector::start(200).await;
    let server = server(home.path(), &collector, "1").await;
    let alice = server.person("alice", "user");
    let session = alice.open_session(CANARY).await;
    let path = format!("/api/chat/sessions/{session}/messages");
    let request = alice.request(reqwest::Method::POST, &path).json(&json!({ "content": CANARY }));
    // The caller's own decision, which is "not sampled", has no part in it.
    let request = request.header("traceparent", format!("00-{TRACE}-{CALLER}-00"));
    Person::json(request.send().await.unwrap(), 201).await;

    let spans = collector.trace_with(&bytes(TRACE), "fan-out").await;
    let named = |name: &str| {
        let found = spans.iter().rfind(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no {name} among {spans:#?}"))
    };
    let mut parent = bytes(CALLER);
    for name in ["POST /api/chat/sessions/{sessionId}/messages", "send_message", "write", "batch"] {
        let span = named(name);
        assert_eq!(span.parent_span_id, parent, "{name}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        parent.clone_from(&span.span_id);
    }
    for name in ["commit", "fan-out"] {
        assert_eq!(named(name).parent_span_id, parent, "{name}");
    }
    let request = named("POST /api/chat/sessions/{sessionId}/messages");
    let names: Vec<&str> = request.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    for name in ["http.request.method", "http.route", "http.response.status_code", "url.path"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for body in collector.bodies() {
        let text = String::from_utf8_lossy(&body);
        assert!(!text.contains(CANARY) && !text.contains(&alice.token));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_spans_are_exported_at_the_end() {
    let home = tempfile::tempdir().unwrap();
    let collector = Collector::start(200).await;
    let server = server(home.path(), &collector, "1").await;
    server.person("alice", "user").open_session("the last").await;
    server.signal("TERM");
    assert!(server.ended().await.0.success());
    let names: Vec<String> = collector.spans().into_iter().map(|span| span.name).collect();
    for name in ["POST /api/chat/sessions", "create_session", "commit"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_sampled_have_no_spans() {
    let home = tempfile::tempdir().unwrap();
    let collector = Collector::start(200).await;
    let server = server(home.path(), &collector, "0").await;
    let alice = server.person("alice", "user");
    alice.open_session("not sampled").await;
    // A client that asks for it does not get it either.
    let asked = alice.request(reqwest::Method::GET, "/api/chat/sessions");
    let asked = asked.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(asked.send().await.unwrap().status(), 200);
    server.signal("TERM");
    assert!(server.ended().await.0.success());
    assert_eq!(collector.spans(), Vec::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_fails_is_one_warning_and_no_failed_request() {
    let home = tempfile::tempdir().unwrap();
    let collector = Collector::start(503).await;
    let server = server(home.path(), &collector, "1").await;
    let alice = server.person("alice", "user");
    let dropped = async || Scrape::of(&server).await.number("chat_spans_dropped_total");
    for _ in 0..2 {
        let before = dropped().await;
        alice.open_session("not exported").await;
        eventually("an export fails", async || dropped().await > before).await;
    }
    collector.respond_with(200);
    alice.open_session("exported").await;
    let says = |line: &String, text: &str| line.contains(text);
    server.stderr.wait_for(PATIENCE, |lines| {
        lines.iter().any(|line| says(line, "spans are exported to") && says(line, "again")).then_some(())
    });
    assert!(Scrape::of(&server).await.number("chat_spans_exported_total") > 0.0);
    server.signal("TERM");
    let (status, log) = server.ended().await;
    assert!(status.success());
    let warnings: Vec<&String> =
        log.iter().filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\"")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("--otlp-endpoint"), "{warnings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_silent_does_not_hold_the_process() {
    let home = tempfile::tempdir().unwrap();
    let collector = Collector::start(SILENCE).await;
    let server = server(home.path(), &collector, "1").await;
    server.person("alice", "user").open_session("not exported").await;
    let asked = Instant::now();
    server.signal("TERM");
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log:#?}");
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
}
