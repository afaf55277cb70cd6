//! Serves a connection until one of the two sides ends it, or it takes too long.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_service::Service;
use chat_websocket::part;
use metrics::Gauge;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::connection_state::{ConnectionState, Overdue};
use super::{GuardedStream, TransportLimits};
use crate::metering::{ConnectionEnd, ConnectionMetrics, GaugeGuard};

/// The answer to a head that did not come in time (RFC 9110, 15.5.9).
const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// How long a crowded node drains a connection.
const CROWDED_DRAIN: Duration = Duration::from_secs(1);

/// The connections of a worker.
pub(crate) struct WorkerConnections {
    limits: TransportLimits,
    /// The most that the worker holds.
    most: usize,
    open: Cell<usize>,
    metrics: ConnectionMetrics,
}

impl WorkerConnections {
    pub(crate) fn new(limits: TransportLimits, most: usize) -> Rc<Self> {
        Rc::new(Self { limits, most, open: Cell::new(0), metrics: ConnectionMetrics::new() })
    }

    /// Whether so many connections are open that those that wait for nothing must make room.
    fn is_crowded(&self) -> bool {
        self.open.get() >= self.most - self.most / 4
    }
}

/// A connection's place among those of its worker.
struct WorkerPlace<'a> {
    worker: &'a WorkerConnections,
    _gauge: GaugeGuard<&'a Gauge>,
}

impl<'a> WorkerPlace<'a> {
    fn take(worker: &'a WorkerConnections) -> Self {
        worker.open.set(worker.open.get() + 1);
        Self { worker, _gauge: GaugeGuard::new(&worker.metrics.open) }
    }
}

impl Drop for WorkerPlace<'_> {
    fn drop(&mut self) {
        self.worker.open.set(self.worker.open.get().saturating_sub(1));
    }
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GuardOutcome {
    /// The client or the server has closed it, or it became a socket.
    Done,
    /// What came was no HTTP.
    Malformed,
    /// The response is written, and the body of the request was not read to its end.
    Unread,
    Overdue(Overdue),
}

/// Serves a connection with `http`, the service of a worker.
pub(crate) fn serve<H>(
    stream: TcpStream,
    http: &H,
    worker: &Rc<WorkerConnections>,
) -> impl Future<Output = Result<(), DispatchError>> + use<H>
where
    H: Service<(GuardedStream, Option<SocketAddr>), Response = (), Error = DispatchError>,
{
    let state = Rc::new(ConnectionState::default());
    let peer = stream.peer_addr().ok();
    // On the heap, so that all of it is freed while the connection is drained.
    let http = Box::pin(http.call((GuardedStream::new(stream, Rc::clone(&state)), peer)));
    run(http, state, Rc::clone(worker))
}

async fn run<D>(
    mut http: Pin<Box<D>>,
    state: Rc<ConnectionState>,
    worker: Rc<WorkerConnections>,
) -> Result<(), DispatchError>
where
    D: Future<Output = Result<(), DispatchError>>,
{
    let worker = &*worker;
    let mut place = Some(WorkerPlace::take(worker));
    let end = {
        // One timer for the whole life of the connection, set again only when it rings.
        let mut timer = pin!(sleep(worker.limits.shortest(worker.is_crowded())));
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = http.as_mut().poll(cx) {
                return Poll::Ready(end_of(outcome, &state));
            }
            if state.is_gone() {
                // What goes on here is the hold on the worker's sockets, which are counted elsewhere.
                place = None;
            }
            if state.is_over() {
                return Poll::Ready(GuardOutcome::Unread);
            }
            poll_overdue(timer.as_mut(), cx, &state, worker).map(GuardOutcome::Overdue)
        })
        .await
    };
    drop(http);
    if let Some(reason) = end.reason() {
        worker.metrics.ended(reason);
    }
    // A socket has taken it along.
    let Some(stream) = state.take_left_behind() else { return Ok(()) };
    if let Err(error) = close(stream, end, worker).await {
        tracing::trace!(error.cause = %error, "client gone before its connection was closed");
    }
    Ok(())
}

fn end_of(outcome: Result<(), DispatchError>, state: &ConnectionState) -> GuardOutcome {
    match outcome {
        Ok(()) if state.is_closing() => GuardOutcome::Unread,
        // A response that could not be made to its end was logged where it failed.
        Ok(()) | Err(DispatchError::Body(_) | DispatchError::Service(_) | DispatchError::Upgrade) => GuardOutcome::Done,
        Err(DispatchError::Io(error)) => {
            tracing::debug!(error.cause = %error, "connection broke");
            GuardOutcome::Done
        }
        Err(error) => {
            tracing::debug!(error.cause = %error, "refused what is no HTTP request");
            GuardOutcome::Malformed
        }
    }
}

/// Ready when the peer has taken too long.
fn poll_overdue(
    mut timer: Pin<&mut tokio::time::Sleep>,
    cx: &mut Context<'_>,
    state: &ConnectionState,
    worker: &WorkerConnections,
) -> Poll<Overdue> {
    while state.is_guarded() && timer.as_mut().poll(cx).is_ready() {
        let (now, is_crowded) = (Instant::now(), worker.is_crowded());
        let again = now + worker.limits.shortest(is_crowded);
        let next = match state.deadline(&worker.limits, is_crowded) {
            Some((deadline, overdue)) if deadline <= now => return Poll::Ready(overdue),
            Some((deadline, _)) => deadline.min(again),
            // Whatever it waits for next has at least so long from then on.
            None => again,
        };
        timer.as_mut().reset(next);
    }
    Poll::Pending
}

async fn close(mut stream: TcpStream, end: GuardOutcome, worker: &WorkerConnections) -> io::Result<()> {
    let TransportLimits { drain, drain_bytes, .. } = worker.limits;
    let limit = if worker.is_crowded() { drain.min(CROWDED_DRAIN) } else { drain };
    match end {
        GuardOutcome::Done | GuardOutcome::Overdue(Overdue::Idle) => Ok(()),
        GuardOutcome::Malformed | GuardOutcome::Unread => part(&mut stream, drain_bytes, limit).await,
        GuardOutcome::Overdue(Overdue::Head) => {
            timeout(limit, stream.write_all(REQUEST_TIMEOUT)).await??;
            part(&mut stream, drain_bytes, limit).await
        }
        // What waits in the kernel for a peer that takes nothing would stay there for long.
        GuardOutcome::Overdue(Overdue::Stalled) => {
            Ok(rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?)
        }
    }
}

impl GuardOutcome {
    /// How the end is counted; the usual one is not.
    fn reason(self) -> Option<ConnectionEnd> {
        match self {
            Self::Done | Self::Overdue(Overdue::Idle) => None,
            Self::Malformed => Some(ConnectionEnd::Malformed),
            Self::Unread => Some(ConnectionEnd::BodyUnread),
            Self::Overdue(Overdue::Head) => Some(ConnectionEnd::HeadTooSlow),
            Self::Overdue(Overdue::Stalled) => Some(ConnectionEnd::PeerStalled),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn the_task_that_holds_the_sockets_of_a_worker_takes_no_place_of_a_connection() {
        let worker = WorkerConnections::new(TransportLimits::default(), 1);
        let state = Rc::new(ConnectionState::default());
        let mut task = pin!(run(Box::pin(pending()), Rc::clone(&state), Rc::clone(&worker)));
        assert!(poll!(task.as_mut()).is_pending());
        assert!(worker.is_crowded());
        state.take_over();
        assert!(poll!(task.as_mut()).is_pending());
        assert!(worker.is_crowded(), "a handshake is a connection");
        state.leave();
        assert!(poll!(task.as_mut()).is_pending());
        assert!(!worker.is_crowded());
    }
}
