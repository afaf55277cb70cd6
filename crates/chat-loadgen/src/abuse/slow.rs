//! Connections that never end a request, or never take a response, but do a little of it now and then: how many the
//! service ends, while others send usual requests (`chat-loadgen read` beside it).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::select;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::error::LoadError;
use crate::http::Target;
use crate::measure::rounded;
use crate::net::{ConnectOptions, allow_connections, connect, reset};

/// Bytes that the kernel keeps of a download that is not read: as few as it takes.
const RECEIVE_BUFFER: u32 = 4096;
/// Bytes that a download takes at a time.
const TAKEN: usize = 128;
/// The pause before a connection that could not be made is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
const BOUNDARY: &str = "chat-loadgen-slow";

/// What a connection does slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowKind {
    /// Sends the head of its first request, a byte at a time.
    Head,
    /// The same with the head of its second one.
    SecondHead,
    /// Sends a JSON body of a stated length.
    Body,
    /// Sends a body in chunks.
    Chunked,
    /// Reads a file.
    Download,
}

impl SlowKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Head, Self::SecondHead, Self::Body, Self::Chunked, Self::Download];

    fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::SecondHead => "second-head",
            Self::Body => "body",
            Self::Chunked => "chunked",
            Self::Download => "download",
        }
    }
}

/// Slow connections to make.
#[derive(Clone, Debug)]
pub struct SlowPlan {
    /// The service.
    pub target: Target,
    /// How many connections of each kind at the same time. A connection that the service ends is replaced.
    pub connections: usize,
    /// How often each does a little, and after what time a connection that was ended is replaced.
    pub every: Duration,
    /// For how long.
    pub duration: Duration,
    /// The session that bodies are for.
    pub session: String,
    /// In whose names, in turn: a service limits the unfinished requests of one person.
    pub tokens: Vec<String>,
    /// The path of a large file.
    pub file: String,
}

/// What became of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/loadgen.md explains every field, and a test compares the names")]
pub struct SlowReport {
    pub command: &'static str,
    pub connections: usize,
    pub seconds: f64,
    pub made: BTreeMap<&'static str, u64>,
    pub ended: BTreeMap<&'static str, u64>,
    pub longest_seconds: BTreeMap<&'static str, f64>,
    pub unreachable: u64,
}

#[derive(Default)]
struct SlowCounts {
    made: BTreeMap<&'static str, u64>,
    ended: BTreeMap<&'static str, u64>,
    longest: BTreeMap<&'static str, Duration>,
    unreachable: u64,
}

/// Stores a file of so many bytes in a session, and returns the path under which it is downloaded.
///
/// # Errors
/// The service refuses it, or its response is not as documented.
pub async fn store_file(target: &Target, session: &str, token: &str, bytes: usize) -> Result<String, LoadError> {
    let failed = || LoadError::io("store a file to download");
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"attachments[0]\"; filename=\"slow.bin\"\r\n\r\n"
    )
    .into_bytes();
    body.resize(body.len() + bytes, b'x');
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    let head = format!(
        "POST {}/api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        target.prefix,
        target.authority,
        body.len()
    );
    let mut stream = connect(target.address, ConnectOptions::default()).await.map_err(failed())?;
    stream.write_all(head.as_bytes()).await.map_err(failed())?;
    stream.write_all(&body).await.map_err(failed())?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await.map_err(failed())?;
    let id = response.split("/api/chat/attachments/").nth(1).and_then(|rest| rest.split('"').next());
    let id = id.ok_or_else(|| {
        let status = response.lines().next().unwrap_or_default();
        LoadError::setup(format!("storing a file to download was refused: {status}"))
    })?;
    Ok(format!("/api/chat/attachments/{id}"))
}

/// Keeps the connections for as long as the plan says; `each_second` gets a line about them. Must run inside a
/// `LocalSet`.
///
/// # Errors
/// The process may not have so many connections.
pub async fn slow(plan: SlowPlan, mut each_second: impl FnMut(Duration, String)) -> Result<SlowReport, LoadError> {
    let all = plan.connections * SlowKind::ALL.len();
    allow_connections(all)?;
    let (plan, counts) = (Rc::new(plan), Rc::new(RefCell::new(SlowCounts::default())));
    let (stop, stopped) = watch::channel(());
    let mut tasks = JoinSet::new();
    let kinds = SlowKind::ALL.into_iter().cycle().take(all);
    for (number, kind) in kinds.enumerate() {
        tasks.spawn_local(attack(Rc::clone(&plan), kind, number, Rc::clone(&counts), stopped.clone()));
    }
    let started = Instant::now();
    while let Some(left) = plan.duration.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        sleep(left.min(Duration::from_secs(1))).await;
        let ended: u64 = counts.borrow().ended.values().sum();
        each_second(started.elapsed(), format!("{ended:>7} ended by the service"));
    }
    let seconds = rounded(started.elapsed().as_secs_f64());
    drop(stop);
    while tasks.join_next().await.is_some() {}
    let counts = counts.take();
    Ok(SlowReport {
        command: "slow",
        connections: all,
        seconds,
        made: counts.made,
        ended: counts.ended,
        longest_seconds: counts.longest.into_iter().map(|(kind, time)| (kind, rounded(time.as_secs_f64()))).collect(),
        unreachable: counts.unreachable,
    })
}

/// One connection after the other, until it is stopped, which is a reset as of a client that is killed.
async fn attack(
    plan: Rc<SlowPlan>,
    kind: SlowKind,
    number: usize,
    counts: Rc<RefCell<SlowCounts>>,
    mut stopped: watch::Receiver<()>,
) {
    loop {
        let receive_buffer = (kind == SlowKind::Download).then_some(RECEIVE_BUFFER);
        let Ok(mut stream) = connect(plan.target.address, ConnectOptions { number, receive_buffer }).await else {
            counts.borrow_mut().unreachable += 1;
            select! {
                () = sleep(RECONNECT_PAUSE) => continue,
                _ = stopped.changed() => return,
            }
        };
        *counts.borrow_mut().made.entry(kind.name()).or_default() += 1;
        let began = Instant::now();
        select! {
            _ended = dawdle(&mut stream, &plan, kind, number) => {
                let mut counts = counts.borrow_mut();
                *counts.ended.entry(kind.name()).or_default() += 1;
                let longest = counts.longest.entry(kind.name()).or_default();
                *longest = began.elapsed().max(*longest);
            }
            _ = stopped.changed() => {
                reset(stream);
                return;
            }
        }
        drop(stream);
        select! {
            () = sleep(plan.every) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// Does a little now and then. Returns when the service has ended the connection.
async fn dawdle(stream: &mut TcpStream, plan: &SlowPlan, kind: SlowKind, number: usize) -> io::Result<()> {
    let Target { authority, prefix, .. } = &plan.target;
    let token = plan.tokens.get(number % plan.tokens.len().max(1)).map(String::as_str).unwrap_or_default();
    let head = |method: &str, path: &str, more: &str| {
        format!("{method} {prefix}{path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\n{more}\r\n")
    };
    let messages = format!("/api/chat/sessions/{}/messages", plan.session);
    let json = "Content-Type: application/json\r\n";
    let (first, bit) = match kind {
        SlowKind::Head => ("GET / HTTP/1.1\r\nX: ".to_owned(), "x"),
        SlowKind::SecondHead => (head("GET", "/healthz", "") + "GET / HTTP/1.1\r\nX: ", "x"),
        SlowKind::Body => (head("POST", &messages, &format!("{json}Content-Length: 100000\r\n")), " "),
        SlowKind::Chunked => (head("POST", &messages, &format!("{json}Transfer-Encoding: chunked\r\n")), "1\r\n \r\n"),
        SlowKind::Download => (head("GET", &plan.file, ""), ""),
    };
    stream.write_all(first.as_bytes()).await?;
    let mut buffer = [0; 4096];
    let mut turns = interval(plan.every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns.tick().await;
    loop {
        if kind == SlowKind::Download {
            turns.tick().await;
            if stream.read(buffer.get_mut(..TAKEN).unwrap_or_default()).await? == 0 {
                return Ok(());
            }
            continue;
        }
        let (mut reader, mut writer) = stream.split();
        select! {
            read = reader.read(&mut buffer) => if read? == 0 {
                return Ok(());
            },
            _ = turns.tick() => writer.write_all(bit.as_bytes()).await?,
        }
    }
}
