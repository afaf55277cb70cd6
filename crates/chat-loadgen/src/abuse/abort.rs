//! Connect and leave, at every point of the handshake.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::error::LoadError;
use crate::fleet::FleetPlan;
use crate::http::Target;
use crate::measure::{as_f64, close_reasons, rounded};
use crate::net::{self, ConnectOptions};
use crate::socket::{ClientCloseReason, ClientSocketMode, SUBPROTOCOL, Socket, SocketRequest};

/// The pause of a client that was refused a connection.
const PAUSE: Duration = Duration::from_millis(20);
/// How far a client comes before it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbortPhase {
    /// The connection stands, and nothing was sent.
    AfterConnect,
    /// Half of the request was sent.
    HalfRequest,
    /// All of it was, and the response is not read.
    RequestUnread,
    /// The response was read, and it was 101.
    AfterUpgrade,
    /// Half of a frame was sent after it.
    MidFrame,
}

impl AbortPhase {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::AfterConnect, Self::HalfRequest, Self::RequestUnread, Self::AfterUpgrade, Self::MidFrame];
}

/// What came of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/loadgen.md explains every field, and a test compares the names")]
pub struct AbortReport {
    pub command: &'static str,
    pub cycles: u64,
    pub seconds: f64,
    pub cycles_per_second: f64,
    pub phases: BTreeMap<AbortPhase, u64>,
    pub stopped_short: BTreeMap<String, u64>,
}

#[derive(Default)]
struct AbortCounts {
    phases: BTreeMap<AbortPhase, u64>,
    stopped_short: BTreeMap<ClientCloseReason, u64>,
}

/// Connects and leaves so many times, as many at the same time as the fleet has sockets, at its first node and path.
/// Cycles take the phases in turn, and leave in turn by a reset, as a process that was killed with data unread, and by
/// the end of the stream. `each_second` gets a line about them.
///
/// # Errors
/// The process may not have so many connections. A connection that fails is counted.
pub async fn abort(
    plan: FleetPlan,
    cycles: usize,
    mut each_second: impl FnMut(Duration, String),
) -> Result<AbortReport, LoadError> {
    net::allow_connections(plan.sockets)?;
    let started = Instant::now();
    let plan = Rc::new(plan);
    let counts = Rc::new(RefCell::new(AbortCounts::default()));
    let mut workers = JoinSet::new();
    for first in 0..plan.sockets {
        let (plan, counts) = (Rc::clone(&plan), Rc::clone(&counts));
        workers.spawn_local(async move {
            for number in (first..cycles).step_by(plan.sockets) {
                match cycle(&plan, number).await {
                    Ok(phase) => *counts.borrow_mut().phases.entry(phase).or_default() += 1,
                    Err(reason) => {
                        *counts.borrow_mut().stopped_short.entry(reason).or_default() += 1;
                        sleep(PAUSE).await;
                    }
                }
            }
        });
    }
    let done = spawn_local(workers.join_all());
    tokio::pin!(done);
    while timeout(Duration::from_secs(1), &mut done).await.is_err() {
        let cycles: u64 = counts.borrow().phases.values().sum();
        each_second(started.elapsed(), format!("{cycles:>10} cycles"));
    }
    let counts = counts.borrow();
    let (cycles, seconds) = (counts.phases.values().sum(), started.elapsed().as_secs_f64());
    Ok(AbortReport {
        command: "abort",
        cycles,
        seconds: rounded(seconds),
        cycles_per_second: (as_f64(cycles) / seconds).round(),
        phases: counts.phases.clone(),
        stopped_short: close_reasons(&counts.stopped_short),
    })
}

async fn cycle(plan: &FleetPlan, number: usize) -> Result<AbortPhase, ClientCloseReason> {
    let phases = AbortPhase::ALL;
    let phase = phases.get(number % phases.len()).copied().unwrap_or(AbortPhase::AfterConnect);
    // After each round of phases, so that every phase ends in both ways.
    let resets = (number / phases.len()).is_multiple_of(2);
    let (Some(target), Some(path)) = (plan.nodes.first(), plan.paths.first()) else {
        return Err(ClientCloseReason::Unreachable);
    };
    let request = SocketRequest { target, path, token: plan.token(0), mode: plan.mode, limit: plan.timeout };
    // A reset frees its port at once. Others keep it for a minute, so they come from several addresses of the loopback
    // network; a service elsewhere gets some 20,000 a minute.
    let connect = ConnectOptions { number: if resets { 0 } else { number }, receive_buffer: None };
    let connected = timeout(plan.timeout, net::connect(target.address, connect)).await;
    let stream = connected.ok().and_then(Result::ok).ok_or(ClientCloseReason::Unreachable)?;
    let stream = timeout(plan.timeout, reach(&request, phase, stream)).await.unwrap_or(Err(ClientCloseReason::Lost))?;
    if resets {
        net::reset(stream);
    }
    Ok(phase)
}

/// Goes as far as the phase asks for, and returns the connection.
async fn reach(
    request: &SocketRequest<'_>,
    phase: AbortPhase,
    mut stream: TcpStream,
) -> Result<TcpStream, ClientCloseReason> {
    if matches!(phase, AbortPhase::AfterUpgrade | AbortPhase::MidFrame) {
        stream = Socket::handshake(request, stream).await?.into_stream();
    }
    let head = upgrade_head(request);
    let written = match phase {
        AbortPhase::AfterConnect | AbortPhase::AfterUpgrade => Ok(()),
        AbortPhase::HalfRequest => stream.write_all(head.get(..head.len() / 2).unwrap_or_default()).await,
        AbortPhase::RequestUnread => stream.write_all(&head).await,
        // The head of a text frame of 100 bytes with the mask 0, and half of the bytes.
        AbortPhase::MidFrame => {
            stream.write_all(&[[0x81, 0x80 | 0x64, 0, 0, 0, 0].as_slice(), &[b'x'; 50]].concat()).await
        }
    };
    written.map(|()| stream).map_err(|_| ClientCloseReason::Lost)
}

/// The request of an opening handshake as bytes, with the key of RFC 6455.
fn upgrade_head(request: &SocketRequest<'_>) -> Vec<u8> {
    let Target { authority, prefix, .. } = request.target;
    let protocol = match request.mode {
        ClientSocketMode::Base => String::new(),
        ClientSocketMode::Extended => format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"),
    };
    format!(
        "GET {prefix}{} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\
         Authorization: Bearer {}\r\n\r\n",
        request.path, request.token
    )
    .into_bytes()
}
