//! What is counted and timed at this edge. Which metrics there are and what they mean is described where they are
//! served; here are the handles.
//!
//! Handles are taken from the process's recorder once, when the server starts, and kept with their route: looking a
//! metric up by its labels for each request would cost more than all the rest of counting. Without a recorder they
//! do nothing.

use std::borrow::Borrow;
use std::rc::Rc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::error::ErrorCode;
use crate::socket_protocol::{CloseCode, SocketMode};

/// The classes of status codes (RFC 9110, 15), in the order of their first digits.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What stands for the route and the method of requests without an operation.
const OTHER: &str = "other";

/// What is counted about sockets.
pub(crate) struct SocketMetrics {
    open_base: Gauge,
    open_extended: Gauge,
    open_multiplexed: Gauge,
    closed: Vec<(CloseCode, Counter)>,
    frames: Counter,
    bytes: Counter,
}

impl SocketMetrics {
    pub(crate) fn new() -> Self {
        let closed =
            |code: &CloseCode| (*code, counter!("chat_sockets_closed_total", "code" => code.number().to_string()));
        Self {
            open_base: gauge!("chat_sockets_open", "mode" => SocketMode::Base.as_str()),
            open_extended: gauge!("chat_sockets_open", "mode" => SocketMode::Extended.as_str()),
            open_multiplexed: gauge!("chat_sockets_open", "mode" => SocketMode::Multiplexed.as_str()),
            closed: CloseCode::ALL.iter().map(closed).collect(),
            frames: counter!("chat_socket_frames_written_total"),
            bytes: counter!("chat_socket_bytes_written_total"),
        }
    }

    /// How many sockets of a mode are open.
    pub(crate) fn open(&self, mode: SocketMode) -> Gauge {
        match mode {
            SocketMode::Base => self.open_base.clone(),
            SocketMode::Extended => self.open_extended.clone(),
            SocketMode::Multiplexed => self.open_multiplexed.clone(),
        }
    }

    /// The server closed a socket.
    pub(crate) fn closed(&self, code: CloseCode) {
        if let Some((_, counter)) = self.closed.iter().find(|(known, _)| *known == code) {
            counter.increment(1);
        }
    }

    /// Frames of this many bytes together were put on the way to a client.
    pub(crate) fn written(&self, frames: u64, bytes: u64) {
        self.frames.increment(frames);
        self.bytes.increment(bytes);
    }
}

/// The codes of requests that the service is not able to carry out at present.
const UNAVAILABLE: [ErrorCode; 2] = [ErrorCode::Unavailable, ErrorCode::StorageFull];

/// Counts a request that was refused because the service cannot carry it out at present. Rare enough to look its handle up.
pub(crate) fn unavailable(code: ErrorCode) {
    unavailable_of(code).increment(1);
}

fn unavailable_of(code: ErrorCode) -> Counter {
    counter!("chat_http_unavailable_total", "code" => code.as_str())
}

/// How many requests have a header of proxies and come from none that is trusted.
pub(crate) fn untrusted_forwarding() -> Counter {
    counter!("chat_http_untrusted_forwarding_total")
}

/// What is counted about requests whatever they ask for. Each worker has one behind an `Rc`: the handles are shared by
/// all workers, and each clone of one would be felt by the others.
pub(crate) struct RequestMetrics {
    /// How many requests are being served.
    pub(crate) in_flight: Gauge,
    /// Those without an operation.
    other: OperationMetrics,
}

impl RequestMetrics {
    pub(crate) fn new() -> Rc<Self> {
        for code in UNAVAILABLE {
            unavailable_of(code).increment(0);
        }
        // Shown whether or not there is an access log.
        counter!("chat_access_log_dropped_total").increment(0);
        Rc::new(Self { in_flight: gauge!("chat_http_requests_in_flight"), other: OperationMetrics::new(OTHER, OTHER) })
    }

    /// Counts a response under its route, if that has the method.
    pub(crate) fn answered(&self, route: Option<&RouteMetrics>, method: &Method, status: StatusCode, took: Duration) {
        route.and_then(|route| route.of(method)).unwrap_or(&self.other).answered(status, took);
    }
}

/// What is counted about the operations of one route.
pub(crate) struct RouteMetrics(Vec<(Method, OperationMetrics)>);

impl RouteMetrics {
    pub(crate) fn new<'a>(path: &'static str, methods: impl Iterator<Item = &'a Method>) -> Self {
        Self(methods.map(|method| (method.clone(), OperationMetrics::new(path, method.as_str()))).collect())
    }

    /// A route has one or two methods, so that nothing is quicker than looking through them.
    fn of(&self, method: &Method) -> Option<&OperationMetrics> {
        self.0.iter().find(|(known, _)| known == method).map(|(_, metrics)| metrics)
    }
}

/// What is counted about one operation.
struct OperationMetrics {
    by_class: [Counter; CLASSES.len()],
    duration: Histogram,
}

impl OperationMetrics {
    fn new(route: &'static str, method: &str) -> Self {
        let labels = [("route", route.to_owned()), ("method", method.to_owned())];
        let of_class = |class: &'static str| {
            let labels = labels.iter().cloned().chain([("status", class.to_owned())]).collect::<Vec<_>>();
            counter!("chat_http_requests_total", &labels)
        };
        Self { by_class: CLASSES.map(of_class), duration: histogram!("chat_http_request_duration_seconds", &labels) }
    }

    fn answered(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.by_class.get(class) {
            counter.increment(1);
        }
        self.duration.record(took.as_secs_f64());
    }
}

/// Why this server ended a connection, where it was not the usual end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    /// What came was no HTTP request.
    Malformed,
    /// The body of an answered request was not read to its end.
    BodyUnread,
    /// The head of a request took too long.
    HeadTooSlow,
    /// The peer took no byte for too long.
    PeerStalled,
    /// Its address had too many connections.
    TooManyOfAddress,
}

impl ConnectionEnd {
    /// Every reason.
    pub(crate) const ALL: [Self; 5] =
        [Self::Malformed, Self::BodyUnread, Self::HeadTooSlow, Self::PeerStalled, Self::TooManyOfAddress];

    fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BodyUnread => "body_unread",
            Self::HeadTooSlow => "head_too_slow",
            Self::PeerStalled => "peer_stalled",
            Self::TooManyOfAddress => "too_many_of_address",
        }
    }
}

/// What is counted about the HTTP connections of a worker.
pub(crate) struct ConnectionMetrics {
    /// How many are open.
    pub(crate) open: Gauge,
    ended: Vec<(ConnectionEnd, Counter)>,
}

impl ConnectionMetrics {
    /// Says how many HTTP connections and sockets there may be.
    pub(crate) fn set_limits(connections: usize, sockets: usize) {
        let number = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        gauge!("chat_http_connections_limit").set(number(connections));
        gauge!("chat_sockets_limit").set(number(sockets));
    }

    pub(crate) fn new() -> Self {
        let ended = |end: ConnectionEnd| (end, counter!("chat_http_connections_ended_total", "reason" => end.as_str()));
        Self { open: gauge!("chat_http_connections_open"), ended: ConnectionEnd::ALL.map(ended).into() }
    }

    /// The server ended a connection.
    pub(crate) fn ended(&self, end: ConnectionEnd) {
        if let Some((_, counter)) = self.ended.iter().find(|(known, _)| *known == end) {
            counter.increment(1);
        }
    }
}

/// A gauge that is one higher for as long as this lives, however its owner ends.
pub(crate) struct GaugeGuard<G: Borrow<Gauge>>(G);

impl<G: Borrow<Gauge>> GaugeGuard<G> {
    pub(crate) fn new(gauge: G) -> Self {
        gauge.borrow().increment(1.0);
        Self(gauge)
    }
}

impl<G: Borrow<Gauge>> Drop for GaugeGuard<G> {
    fn drop(&mut self) {
        self.0.borrow().decrement(1.0);
    }
}
