//! Connections that are opened, begin something, and then fall silent.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::error::LoadError;
use crate::http::Target;
use crate::net::{Dial, allow_connections, connect};

/// What a connection does before it falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Occupation {
    /// Posts to a path that does not exist, and announces a body in chunks that never comes.
    ChunkedBody,
    /// The same with a body of a stated length.
    SizedBody,
    /// Nothing.
    Silence,
    /// Sends half of the head of a request.
    HalfHead,
    /// Sends a request, and half of the head of another one behind it.
    SecondHead,
}

impl Occupation {
    fn bytes(self, target: &Target) -> String {
        let Target { authority, prefix, .. } = target;
        let post = format!("POST {prefix}/nothing HTTP/1.1\r\nHost: {authority}\r\n");
        let half = format!("GET {prefix}/healthz HTTP/1.1\r\nHost: ");
        match self {
            Self::ChunkedBody => format!("{post}Transfer-Encoding: chunked\r\n\r\n"),
            Self::SizedBody => format!("{post}Content-Length: 1000000\r\n\r\n"),
            Self::Silence => String::new(),
            Self::HalfHead => half,
            Self::SecondHead => format!("{half}{authority}\r\n\r\n{half}"),
        }
    }
}

/// Connections that are held.
#[derive(Clone, Debug)]
pub struct OccupyPlan {
    /// The service.
    pub target: Target,
    /// How many.
    pub connections: usize,
    /// What they do.
    pub what: Occupation,
    /// How long they are left alone.
    pub duration: Duration,
    /// How long the service may take afterwards to say that it lives, while they are still there.
    pub patience: Duration,
    /// The service's process, if its descriptors are to be counted.
    pub server: Option<u32>,
}

/// What became of them. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OccupyReport {
    /// `occupy`.
    pub command: &'static str,
    /// Connections that were made.
    pub connections: usize,
    /// What they did.
    pub what: Occupation,
    /// From the first connection to the count.
    pub seconds: f64,
    /// Connections that the service has not closed.
    pub open: usize,
    /// Descriptors of the service's process before, and at the count.
    pub server_descriptors_before: Option<usize>,
    /// At the count.
    pub server_descriptors: Option<usize>,
    /// How long `/healthz` took after the count; nothing when it did not come.
    pub health_seconds: Option<f64>,
}

/// Occupies the service. `each_second` hears how many connections are open.
///
/// # Errors
/// A connection cannot be made.
pub async fn occupy(plan: OccupyPlan, mut each_second: impl FnMut(Duration, usize)) -> Result<OccupyReport, LoadError> {
    allow_connections(plan.connections)?;
    let server_descriptors_before = plan.server.and_then(descriptors);
    let bytes = plan.what.bytes(&plan.target);
    let started = Instant::now();
    let mut streams = Vec::with_capacity(plan.connections);
    for number in 0..plan.connections {
        let dial = Dial { number, ..Dial::default() };
        let mut stream = connect(plan.target.address, dial).await.map_err(LoadError::io("connect"))?;
        stream.write_all(bytes.as_bytes()).await.map_err(LoadError::io("send a few bytes"))?;
        streams.push(stream);
    }
    let held = Instant::now();
    while let Some(left) = plan.duration.checked_sub(held.elapsed()).filter(|left| !left.is_zero()) {
        sleep(left.min(Duration::from_secs(1))).await;
        streams.retain(is_open);
        each_second(started.elapsed(), streams.len());
    }
    let seconds = rounded(started.elapsed());
    let server_descriptors = plan.server.and_then(descriptors);
    let asked = Instant::now();
    let alive = timeout(plan.patience, health(&plan.target)).await;
    Ok(OccupyReport {
        command: "occupy",
        connections: plan.connections,
        what: plan.what,
        seconds,
        open: streams.len(),
        server_descriptors_before,
        server_descriptors,
        health_seconds: alive.is_ok_and(|answer| answer.is_ok()).then(|| rounded(asked.elapsed())),
    })
}

/// Reads what has come. Whether anything more can come is what counts.
fn is_open(stream: &TcpStream) -> bool {
    let mut scratch = [0; 4096];
    loop {
        match stream.try_read(&mut scratch) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

async fn health(target: &Target) -> io::Result<()> {
    let Target { authority, prefix, .. } = target;
    let mut stream = connect(target.address, Dial::default()).await?;
    let request = format!("GET {prefix}/healthz HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(io::Error::other("not healthy")) }
}

/// The open descriptors of a process (`proc_pid_fd(5)`); `None` where the kernel has no such account.
fn descriptors(process: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{process}/fd")).ok()?.count())
}

fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 100.0).round() / 100.0
}
