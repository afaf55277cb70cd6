//! Connect and go, at every point of the handshake.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::error::LoadError;
use crate::http::Target;
use crate::net::{self, Dial};
use crate::socket::{Handshake, Mode, Opening, SocketEnd, frame_header};

/// A client that is refused a connection leaves the service alone for this long.
const PAUSE: Duration = Duration::from_millis(20);

/// How far a client comes before it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The connection stands, and nothing was sent.
    AfterConnect,
    /// Half of the request was sent.
    HalfRequest,
    /// All of it was, and the answer is not read.
    RequestUnread,
    /// The answer was read, and it was 101.
    AfterUpgrade,
    /// Half of a frame was sent after it.
    MidFrame,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 5] =
        [Self::AfterConnect, Self::HalfRequest, Self::RequestUnread, Self::AfterUpgrade, Self::MidFrame];
}

/// How a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Ending {
    /// By a reset, as a process that was killed with data unread.
    Reset,
    /// By the end of its stream. Its port stays taken for a minute, so cycles come from several addresses of the loopback
    /// network; a service elsewhere gets some 20,000 a minute.
    Fin,
    /// By both in turn.
    Both,
}

/// Cycles to run.
#[derive(Clone, Debug)]
pub struct AbortPlan {
    /// The service.
    pub target: Target,
    /// The path of the socket.
    pub path: String,
    /// In whose name.
    pub token: String,
    /// The protocol.
    pub mode: Mode,
    /// How many connections in all.
    pub cycles: usize,
    /// How many at the same time.
    pub at_once: usize,
    /// The phases, which the cycles take in turn. Not empty.
    pub phases: Vec<Phase>,
    /// How clients go.
    pub ending: Ending,
    /// How long a phase may take to be reached.
    pub timeout: Duration,
}

/// What came of them. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AbortReport {
    /// `abort`.
    pub command: &'static str,
    /// Connections that were made and left.
    pub cycles: u64,
    /// How long it took.
    pub seconds: f64,
    /// `cycles` by `seconds`.
    pub cycles_per_second: f64,
    /// Cycles by the phase in which the client went.
    pub phases: BTreeMap<Phase, u64>,
    /// Cycles that did not come so far, by why.
    pub stopped_short: BTreeMap<String, u64>,
}

/// Runs the cycles. `each_second` hears how many there were.
///
/// # Errors
/// The process may not have so many connections. A connection that fails is counted.
pub async fn abort(plan: AbortPlan, mut each_second: impl FnMut(Duration, u64)) -> Result<AbortReport, LoadError> {
    net::allow_connections(plan.at_once)?;
    let started = Instant::now();
    let plan = Rc::new(plan);
    let counts = Rc::new(RefCell::new((BTreeMap::<Phase, u64>::new(), BTreeMap::<String, u64>::new())));
    let workers: Vec<_> = (0..plan.at_once)
        .map(|first| {
            let (plan, counts) = (Rc::clone(&plan), Rc::clone(&counts));
            spawn_local(async move {
                for number in (first..plan.cycles).step_by(plan.at_once) {
                    match cycle(&plan, number).await {
                        Ok(phase) => *counts.borrow_mut().0.entry(phase).or_default() += 1,
                        Err(end) => {
                            *counts.borrow_mut().1.entry(end.name()).or_default() += 1;
                            sleep(PAUSE).await;
                        }
                    }
                }
            })
        })
        .collect();
    let done = async {
        for worker in workers {
            let _ended = worker.await;
        }
    };
    tokio::pin!(done);
    loop {
        tokio::select! {
            () = &mut done => break,
            () = sleep(Duration::from_secs(1)) => {
                each_second(started.elapsed(), counts.borrow().0.values().sum());
            }
        }
    }
    let (phases, stopped_short) = counts.borrow().clone();
    let (cycles, seconds) = (phases.values().sum::<u64>(), started.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let cycles_per_second = (cycles as f64 / seconds).round();
    Ok(AbortReport {
        command: "abort",
        cycles,
        seconds: (seconds * 100.0).round() / 100.0,
        cycles_per_second,
        phases,
        stopped_short,
    })
}

async fn cycle(plan: &AbortPlan, number: usize) -> Result<Phase, SocketEnd> {
    let phase = plan.phases.get(number % plan.phases.len().max(1)).copied().unwrap_or(Phase::AfterConnect);
    // The turn changes after each round of phases, so that every phase ends in both ways.
    let turn = number / plan.phases.len().max(1);
    let resets = match plan.ending {
        Ending::Reset => true,
        Ending::Fin => false,
        Ending::Both => turn.is_multiple_of(2),
    };
    // Resets free their port at once.
    let dial = Dial { number: if resets { 0 } else { number }, receive_buffer: None };
    let connected = timeout(plan.timeout, net::connect(plan.target.address, dial)).await;
    let mut stream = connected.map_err(|_| SocketEnd::Unreachable)?.map_err(|_| SocketEnd::Unreachable)?;
    let reached = timeout(plan.timeout, reach(plan, phase, &mut stream)).await.unwrap_or(Err(SocketEnd::Lost));
    if resets {
        net::reset(stream);
    }
    reached.map(|()| phase)
}

async fn reach(plan: &AbortPlan, phase: Phase, stream: &mut TcpStream) -> Result<(), SocketEnd> {
    let handshake = Handshake::new(&Opening {
        target: &plan.target,
        path: &plan.path,
        token: &plan.token,
        mode: plan.mode,
        limit: plan.timeout,
    });
    let written = match phase {
        Phase::AfterConnect => return Ok(()),
        Phase::HalfRequest => {
            let half = handshake.request.len() / 2;
            stream.write_all(handshake.request.get(..half).unwrap_or_default()).await
        }
        Phase::RequestUnread => stream.write_all(&handshake.request).await,
        Phase::AfterUpgrade => return handshake.run(stream).await.map(drop),
        Phase::MidFrame => {
            handshake.run(stream).await?;
            let mut half = frame_header(100, true);
            half.extend_from_slice(&[b'x'; 50]);
            stream.write_all(&half).await
        }
    };
    written.map_err(|_| SocketEnd::Lost)
}
