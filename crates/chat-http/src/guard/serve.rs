//! Serves a connection until one of the two sides ends it, or it takes too long.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_service::Service;
use chat_websocket::lingering_close;
use metrics::Gauge;
use slab::Slab;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::GuardedStream;
use super::address_counts::AddressCounts;
use super::connection_state::{ConnectionState, ExceededTimeout};
use crate::metering::{ConnectionEnd, ConnectionMetrics, GaugeGuard};
use crate::transport_limits::TransportLimits;

/// The answer to a head that did not come in time (RFC 9110, 15.5.9).
const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// How long a crowded worker drains a connection.
pub(crate) const CROWDED_DRAIN: Duration = Duration::from_secs(1);
/// How often all connections of a crowded worker are looked at, since they may have less time than their timers say.
const CROWDED_LOOK: Duration = Duration::from_secs(1);

/// The connections of a worker.
pub(crate) struct WorkerConnections {
    limits: TransportLimits,
    /// Those of the whole node.
    addresses: Arc<AddressCounts>,
    /// The most that the worker holds.
    most: usize,
    open: Cell<usize>,
    /// The tasks of those that are open.
    tasks: RefCell<Slab<Waker>>,
    /// How often all of them were woken to look at their deadlines, and when they were last.
    looks: Cell<u64>,
    looked_at: Cell<Option<Instant>>,
    metrics: ConnectionMetrics,
}

impl WorkerConnections {
    pub(crate) fn new(limits: TransportLimits, most: usize, addresses: Arc<AddressCounts>) -> Rc<Self> {
        Rc::new(Self {
            limits,
            addresses,
            most,
            open: Cell::new(0),
            tasks: RefCell::default(),
            looks: Cell::new(0),
            looked_at: Cell::new(None),
            metrics: ConnectionMetrics::new(),
        })
    }

    /// Whether so many connections are open that those that wait for nothing must make room.
    fn is_crowded(&self) -> bool {
        self.open.get() >= self.most - self.most / 4
    }

    /// How many bytes of the peer are dropped after the last response on a connection, and for how long. A trusted proxy
    /// writes what its clients send, and takes a connection that is closed meanwhile for a node that failed.
    fn drain_limits(&self, end: GuardOutcome, peer: Option<IpAddr>) -> (u64, Duration) {
        let TransportLimits { drain, drain_bytes, proxy_drain, proxy_drain_bytes, .. } = self.limits;
        let is_of_proxy = end == GuardOutcome::Unread && peer.is_some_and(|peer| self.addresses.trusts(peer));
        if is_of_proxy { (proxy_drain_bytes, proxy_drain) } else { (drain_bytes, drain) }
    }

    /// Ready `limit` after the worker is crowded, now or later: then all tasks of connections are woken.
    async fn crowded_for(&self, limit: Duration) {
        poll_fn(|_| if self.is_crowded() { Poll::Ready(()) } else { Poll::Pending }).await;
        sleep(limit).await;
    }

    /// Wakes all connections of a crowded worker, so that those from before make room too; at most once a second. It is
    /// called for each connection that comes and whenever a timer rings. A newcomer that comes too soon after the last
    /// call is made up for when its own timer rings.
    fn look_at_all(&self, now: Instant) {
        if !self.is_crowded() || self.looked_at.get().is_some_and(|at| now < at + CROWDED_LOOK) {
            return;
        }
        self.looked_at.set(Some(now));
        self.looks.set(self.looks.get() + 1);
        self.tasks.borrow().iter().for_each(|(_, task)| task.wake_by_ref());
    }
}

/// Counts a connection among those of its worker until it is dropped.
struct ConnectionSlot<'a> {
    worker: &'a WorkerConnections,
    task: usize,
    _gauge: GaugeGuard<&'a Gauge>,
}

impl<'a> ConnectionSlot<'a> {
    fn take(worker: &'a WorkerConnections, task: &Waker) -> Self {
        worker.open.set(worker.open.get() + 1);
        worker.look_at_all(Instant::now());
        let task = worker.tasks.borrow_mut().insert(task.clone());
        Self { worker, task, _gauge: GaugeGuard::new(&worker.metrics.open) }
    }
}

impl Drop for ConnectionSlot<'_> {
    fn drop(&mut self) {
        self.worker.open.set(self.worker.open.get().saturating_sub(1));
        self.worker.tasks.borrow_mut().try_remove(self.task);
    }
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GuardOutcome {
    /// The client or the server has closed it, or it became a socket.
    Done,
    /// The bytes were no HTTP request.
    Malformed,
    /// The response is written, and the body of the request was not read to its end.
    Unread,
    ExceededTimeout(ExceededTimeout),
}

/// Serves a connection with `http`, the service of a worker, or closes it when its address has too many.
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
    let is_admitted = match peer.map(|peer| worker.addresses.take(peer.ip())) {
        Some(Some(slot)) => {
            state.keep_address_slot(slot);
            true
        }
        Some(None) => {
            worker.metrics.ended(ConnectionEnd::TooManyOfAddress);
            false
        }
        // It is gone already.
        None => true,
    };
    // On the heap, so that all of it is freed while the connection is drained.
    let http = is_admitted.then(|| Box::pin(http.call((GuardedStream::new(stream, Rc::clone(&state)), peer))));
    let worker = Rc::clone(worker);
    async move {
        match http {
            Some(http) => run(http, state, worker, peer.map(|peer| peer.ip())).await,
            None => Ok(()),
        }
    }
}

async fn run<D>(
    mut http: Pin<Box<D>>,
    state: Rc<ConnectionState>,
    worker: Rc<WorkerConnections>,
    peer: Option<IpAddr>,
) -> Result<(), DispatchError>
where
    D: Future<Output = Result<(), DispatchError>>,
{
    let worker = &*worker;
    let mut slot = Some(poll_fn(|cx| Poll::Ready(ConnectionSlot::take(worker, cx.waker()))).await);
    let end = {
        // One timer for the whole life of the connection, set again only when it rings, and when the worker is crowded.
        let mut timer = pin!(sleep(worker.limits.shortest(worker.is_crowded())));
        let mut looks = worker.looks.get();
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = http.as_mut().poll(cx) {
                return Poll::Ready(end_of(outcome, &state));
            }
            if state.is_gone() {
                // What still runs here is the anchor of the worker's sockets, which are counted elsewhere.
                slot = None;
            }
            if state.is_over() {
                return Poll::Ready(GuardOutcome::Unread);
            }
            if looks != worker.looks.get() {
                looks = worker.looks.get();
                timer.as_mut().reset(Instant::now());
            }
            poll_overdue(timer.as_mut(), cx, &state, worker).map(GuardOutcome::ExceededTimeout)
        })
        .await
    };
    drop(http);
    if let Some(reason) = end.reason() {
        worker.metrics.ended(reason);
    }
    // A socket has taken the stream over.
    let Some(stream) = state.take_returned_stream() else { return Ok(()) };
    let closed = tokio::select! {
        closed = close(stream, end, worker, peer) => closed,
        () = worker.crowded_for(CROWDED_DRAIN) => Ok(()),
    };
    if let Err(error) = closed {
        tracing::trace!(error.cause = %error, "connection lost before it was closed");
    }
    // The stream is closed, whatever still has a hold of the state.
    drop(state.take_address_slot());
    Ok(())
}

fn end_of(outcome: Result<(), DispatchError>, state: &ConnectionState) -> GuardOutcome {
    match outcome {
        Ok(()) if state.is_closing() => GuardOutcome::Unread,
        // A response that could not be made to its end was logged where it failed.
        Ok(()) | Err(DispatchError::Body(_) | DispatchError::Service(_) | DispatchError::Upgrade) => GuardOutcome::Done,
        Err(DispatchError::Io(error)) => {
            tracing::debug!(error.cause = %error, "connection lost");
            GuardOutcome::Done
        }
        Err(error) => {
            tracing::debug!(error.cause = %error, "refused bytes that are no HTTP request");
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
) -> Poll<ExceededTimeout> {
    while state.is_guarded() && timer.as_mut().poll(cx).is_ready() {
        let (now, is_crowded) = (Instant::now(), worker.is_crowded());
        worker.look_at_all(now);
        let again = now + worker.limits.shortest(is_crowded);
        let next = match state.deadline(&worker.limits, is_crowded) {
            Some((deadline, overdue)) if deadline <= now => return Poll::Ready(overdue),
            Some((deadline, _)) => deadline.min(again),
            // The next state has at least that long from its beginning on.
            None => again,
        };
        timer.as_mut().reset(next);
    }
    Poll::Pending
}

async fn close(
    mut stream: TcpStream,
    end: GuardOutcome,
    worker: &WorkerConnections,
    peer: Option<IpAddr>,
) -> io::Result<()> {
    let (most, limit) = worker.drain_limits(end, peer);
    match end {
        GuardOutcome::Done | GuardOutcome::ExceededTimeout(ExceededTimeout::Idle) => Ok(()),
        GuardOutcome::Malformed | GuardOutcome::Unread => lingering_close(&mut stream, most, limit).await,
        GuardOutcome::ExceededTimeout(ExceededTimeout::Head) => {
            timeout(limit, stream.write_all(REQUEST_TIMEOUT)).await??;
            // All that came was read, so that closing at once destroys nothing that is not still on its way here.
            let limit = if worker.is_crowded() { Duration::ZERO } else { limit };
            lingering_close(&mut stream, most, limit).await
        }
        // Bytes that wait in the kernel for a peer that reads nothing would stay there for long.
        GuardOutcome::ExceededTimeout(ExceededTimeout::Stalled) => {
            Ok(rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?)
        }
    }
}

impl GuardOutcome {
    /// How the end is counted; the usual one is not.
    fn reason(self) -> Option<ConnectionEnd> {
        match self {
            Self::Done | Self::ExceededTimeout(ExceededTimeout::Idle) => None,
            Self::Malformed => Some(ConnectionEnd::Malformed),
            Self::Unread => Some(ConnectionEnd::BodyUnread),
            Self::ExceededTimeout(ExceededTimeout::Head) => Some(ConnectionEnd::HeadTooSlow),
            Self::ExceededTimeout(ExceededTimeout::Stalled) => Some(ConnectionEnd::PeerStalled),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::poll;

    use super::*;
    use crate::forwarding::ProxySettings;

    #[tokio::test]
    async fn the_anchor_of_a_worker_does_not_count_as_a_connection() {
        let worker =
            WorkerConnections::new(TransportLimits::default(), 1, AddressCounts::new(None, ProxySettings::default()));
        let state = Rc::new(ConnectionState::default());
        let mut task = pin!(run(Box::pin(pending()), Rc::clone(&state), Rc::clone(&worker), None));
        assert!(poll!(task.as_mut()).is_pending());
        assert!(worker.is_crowded());
        state.begin_request();
        assert!(poll!(task.as_mut()).is_pending());
        assert!(worker.is_crowded(), "a handshake is a connection");
        state.leave();
        assert!(poll!(task.as_mut()).is_pending());
        assert!(!worker.is_crowded());
    }
}
