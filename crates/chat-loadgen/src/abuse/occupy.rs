//! Connections that begin a request, or an upload, and then fall silent: how many of them the service keeps, and what
//! each costs it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use hyper::Method;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::select;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::api_client::ApiClient;
use crate::error::LoadError;
use crate::http::Target;
use crate::measure::{MemoryMeter, as_f64, descriptors, rounded};
use crate::net::{ConnectOptions, allow_connections, connect, reset};

const BOUNDARY: &str = "chat-loadgen-upload";
/// What an upload announces: more than it sends.
const ANNOUNCED: usize = 20 * 1024 * 1024;
/// Enough of a response to know its status.
const STATUS_BYTES: usize = "HTTP/1.1 200".len();

/// What a connection sends before it falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum HeldRequest {
    /// A post to a path that does not exist, which announces a body in chunks that never comes.
    ChunkedBody,
    /// The same with a body of a stated length.
    SizedBody,
    /// Nothing.
    Silence,
    /// Half of the head of a request.
    HalfHead,
    /// A request, and half of the head of another one behind it.
    SecondHead,
    /// A message with a file, and the beginning of it. Needs a token.
    Upload,
}

impl HeldRequest {
    /// What is sent, but for an upload.
    pub(crate) fn bytes(self, target: &Target) -> Vec<u8> {
        let Target { authority, prefix, .. } = target;
        let post = format!("POST {prefix}/nothing HTTP/1.1\r\nHost: {authority}\r\n");
        let half = format!("GET {prefix}/healthz HTTP/1.1\r\nHost: ");
        let text = match self {
            Self::ChunkedBody => format!("{post}Transfer-Encoding: chunked\r\n\r\n"),
            Self::SizedBody => format!("{post}Content-Length: 1000000\r\n\r\n"),
            Self::Silence | Self::Upload => String::new(),
            Self::HalfHead => half,
            Self::SecondHead => format!("{half}{authority}\r\n\r\n{half}"),
        };
        text.into_bytes()
    }
}

/// A message with a file to a session, and so many bytes of the file.
pub fn upload_request(target: &Target, session: &str, token: &str, bytes: usize) -> Vec<u8> {
    let mut request = format!(
        "POST {}/api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {ANNOUNCED}\r\n\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"attachments[0]\"; filename=\"stalled.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n",
        target.prefix, target.authority
    )
    .into_bytes();
    request.resize(request.len() + bytes, b'x');
    request
}

/// Connections to hold.
#[derive(Clone, Debug)]
pub struct OccupyPlan {
    /// The service.
    pub target: Target,
    /// How many.
    pub connections: usize,
    /// What they send, in turn.
    pub requests: Vec<Vec<u8>>,
    /// How long `/healthz` may take in the end, while they are still there.
    pub patience: Duration,
    /// The service's process, when it is on this machine.
    pub server: Option<u32>,
}

/// What became of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/loadgen.md explains every field, and a test compares the names")]
pub struct OccupyReport {
    pub command: &'static str,
    pub connections: usize,
    pub seconds: f64,
    pub open: usize,
    pub stalled: usize,
    pub statuses: BTreeMap<String, u64>,
    pub close_reasons: BTreeMap<String, u64>,
    pub server_descriptors_before: Option<usize>,
    pub server_descriptors: Option<usize>,
    pub server_kib_before: Option<u64>,
    pub server_kib_peak: Option<u64>,
    pub server_kib_per_stalled: Option<f64>,
    pub health_seconds: Option<f64>,
}

/// How far the connections have got, while they are held.
#[derive(Clone, Debug, Default)]
pub struct OccupyProgress(Rc<OccupyCounts>);

#[derive(Debug, Default)]
struct OccupyCounts {
    sent: Cell<usize>,
    open: Cell<usize>,
    stalled: Cell<usize>,
    statuses: RefCell<BTreeMap<String, u64>>,
    close_reasons: RefCell<BTreeMap<String, u64>>,
}

impl OccupyProgress {
    /// Connections that have sent all that they send.
    pub fn sent(&self) -> usize {
        self.0.sent.get()
    }

    /// Connections that the service has not ended.
    pub fn open(&self) -> usize {
        self.0.open.get()
    }

    /// Connections that are open and got no response.
    pub fn stalled(&self) -> usize {
        self.0.stalled.get()
    }
}

/// Opens the connections and holds them for as long as `stay` takes. Must run inside a `LocalSet`.
///
/// # Errors
/// The process may not have so many connections.
pub async fn occupy(plan: OccupyPlan, stay: impl AsyncFnOnce(OccupyProgress)) -> Result<OccupyReport, LoadError> {
    allow_connections(plan.connections)?;
    let (mut memory, before) = (MemoryMeter::of(plan.server), plan.server.and_then(descriptors));
    let (started, progress) = (Instant::now(), OccupyProgress::default());
    let (release, released) = watch::channel(());
    let counts = Rc::clone(&progress.0);
    for number in 0..plan.connections {
        let request = plan.requests.get(number % plan.requests.len().max(1)).cloned().unwrap_or_default();
        match connect(plan.target.address, ConnectOptions { number, receive_buffer: None }).await {
            Ok(stream) => {
                counts.open.set(counts.open.get() + 1);
                counts.stalled.set(counts.stalled.get() + 1);
                spawn_local(hold(stream, request, Rc::clone(&counts), released.clone()));
            }
            Err(_) => *counts.close_reasons.borrow_mut().entry("unreachable".to_owned()).or_default() += 1,
        }
    }
    drop(released);
    let mut staying = pin!(stay(progress));
    loop {
        select! {
            () = &mut staying => break,
            () = sleep(MemoryMeter::EVERY) => drop(memory.sample()),
        }
    }
    memory.sample();
    let (stalled, asked) = (counts.stalled.get(), Instant::now());
    let server_descriptors = plan.server.and_then(descriptors);
    let health = ApiClient::new(plan.target, String::new(), plan.patience).call(Method::GET, "/healthz", "").await;
    let per_stalled = |kib| rounded(as_f64(kib) / as_f64(stalled as u64));
    let report = OccupyReport {
        command: "occupy",
        connections: plan.connections,
        seconds: rounded((asked - started).as_secs_f64()),
        open: counts.open.get(),
        stalled,
        statuses: counts.statuses.borrow().clone(),
        close_reasons: counts.close_reasons.borrow().clone(),
        server_descriptors_before: before,
        server_descriptors,
        server_kib_before: memory.before,
        server_kib_peak: memory.peak,
        server_kib_per_stalled: memory.grown().filter(|_| stalled > 0).map(per_stalled),
        health_seconds: health.is_ok().then(|| rounded(asked.elapsed().as_secs_f64())),
    };
    // Every connection is reset before the report is given back.
    let _released = release.send(());
    release.closed().await;
    Ok(report)
}

/// Sends the request, reads what comes, and stays until it is released, which is a reset as of a client that is killed.
async fn hold(stream: TcpStream, request: Vec<u8>, counts: Rc<OccupyCounts>, mut released: watch::Receiver<()>) {
    let (mut reader, mut writer) = stream.into_split();
    let sent = Rc::clone(&counts);
    let sending = spawn_local(async move {
        // A service that refuses need not read it all.
        if writer.write_all(&request).await.is_ok() {
            sent.sent.set(sent.sent.get() + 1);
        }
        writer
    });
    let reading = async {
        let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let read = reader.read(&mut buffer).await.unwrap_or(0);
            let had_status = head.len() >= STATUS_BYTES;
            if !had_status {
                head.extend_from_slice(buffer.get(..read).unwrap_or_default());
            }
            if !had_status && (read == 0 || head.len() >= STATUS_BYTES) {
                counts.stalled.set(counts.stalled.get() - 1);
                match status(&head) {
                    Some(status) => *counts.statuses.borrow_mut().entry(status).or_default() += 1,
                    None => *counts.close_reasons.borrow_mut().entry("lost".to_owned()).or_default() += 1,
                }
            }
            if read == 0 {
                return;
            }
        }
    };
    select! {
        biased;
        () = reading => counts.open.set(counts.open.get() - 1),
        _released = released.changed() => {}
    }
    sending.abort();
    // A sender that has not sent everything drops its half, and the connection with it.
    if let Ok(writer) = sending.await
        && let Ok(stream) = reader.reunite(writer)
    {
        reset(stream);
    }
}

/// The status of a response that begins like this.
fn status(head: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(head.get(..STATUS_BYTES)?).ok()?;
    line.split(' ').nth(1).map(str::to_owned)
}
