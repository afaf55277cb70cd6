//! What a connection is doing: a state machine over cells, shared by the stream, the application and the guard of one
//! connection, all on one thread.

use std::cell::Cell;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::TransportLimits;

/// The interim response that asks for the body (RFC 9110, 15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The head of a request is awaited, or a part of it has come.
    Head,
    /// A request is with the application, or its response is being made. Its body has limits of its own.
    Request,
    /// The response is complete, and not all of it is written.
    Flushing,
    /// Between two requests.
    Idle,
    /// A response is written whose request was not read to its end: nothing more can come of the connection.
    Over,
    /// The connection is about to be taken out of the HTTP server.
    TakenOver,
    /// It was taken out.
    Gone,
}

/// What a connection took too long for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    Head,
    Idle,
    Stalled,
}

/// The state of a connection.
pub(crate) struct ConnectionState {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    /// Since when the peer has taken no byte of what waits for it.
    stalled_since: Cell<Option<Instant>>,
    /// The response that is being made ends the connection.
    closing: Cell<bool>,
    /// The last bytes that were read.
    read: Cell<Tail>,
    /// The last bytes of the newest request that came whole.
    request: Cell<Tail>,
    /// What is still to be written of an interim response.
    interim: Cell<&'static [u8]>,
    /// The stream, after the HTTP server has let it go.
    left_behind: Cell<Option<TcpStream>>,
}

impl Default for ConnectionState {
    /// The state of a connection that begins now.
    fn default() -> Self {
        Self {
            phase: Cell::new(Phase::Head),
            since: Cell::new(Instant::now()),
            stalled_since: Cell::new(None),
            closing: Cell::new(false),
            read: Cell::new(Tail::default()),
            request: Cell::new(Tail::default()),
            interim: Cell::new(&[]),
            left_behind: Cell::new(None),
        }
    }
}

impl ConnectionState {
    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    /// These bytes were read from the peer.
    pub(super) fn received(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.read.set(self.read.get().followed_by(bytes));
        if self.phase.get() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// Whether nothing more is read: the HTTP server would read the rest of a body only to drop it, however long it is.
    pub(super) fn reads_no_more(&self) -> bool {
        self.closing.get()
    }

    /// The peer took some of what was written, or everything is written.
    pub(super) fn progressed(&self) {
        self.stalled_since.set(None);
    }

    /// The peer takes nothing at the moment.
    pub(super) fn blocked(&self) {
        if self.stalled_since.get().is_none() {
            self.stalled_since.set(Some(Instant::now()));
        }
    }

    /// Everything that the HTTP server had to write is written.
    pub(super) fn flushed(&self) {
        if self.phase.get() != Phase::Flushing {
            return;
        }
        if self.closing.get() {
            self.phase.set(Phase::Over);
        } else if self.read.get().ends_with(self.request.get()) {
            self.enter(Phase::Idle);
        } else {
            // The next head has begun, in the same packet or while the response was made.
            self.enter(Phase::Head);
        }
    }

    /// A request has come. `false` when it must not be looked at, since the response before it ends the connection.
    pub(super) fn begin_request(&self) -> bool {
        let begins = !self.closing.get();
        if begins {
            self.phase.set(Phase::Request);
        }
        begins
    }

    /// The request has come to its end, whose last bytes are these.
    pub(super) fn request_ends_with(&self, tail: Tail) {
        self.request.set(tail);
    }

    /// The request has no body.
    pub(super) fn request_ends_with_head(&self) {
        self.request.set(Tail::BLANK_LINE);
    }

    /// The response that is made now will be the last one: the request is not read to its end.
    pub(super) fn close_after_response(&self) {
        self.closing.set(true);
    }

    /// The HTTP server has all of the response.
    pub(super) fn response_ended(&self) {
        if self.phase.get() == Phase::Request {
            self.phase.set(Phase::Flushing);
        }
    }

    /// The body is wanted by now.
    pub(super) fn ask_for_body(&self) {
        self.interim.set(CONTINUE);
    }

    /// The response is there: whether the body is wanted is no question any more. What follows a response belongs to the
    /// next request, so an interim response that has not begun is left out (RFC 9110, 15.2, lets a server do that).
    pub(super) fn withdraw_interim(&self) {
        if !self.interim_has_begun() {
            self.interim.set(&[]);
        }
    }

    /// What is to be written as soon as all earlier responses are.
    pub(super) fn interim(&self) -> &'static [u8] {
        self.interim.get()
    }

    /// Whether a part of it is written, so that the rest comes before anything else.
    pub(super) fn interim_has_begun(&self) -> bool {
        (1..CONTINUE.len()).contains(&self.interim.get().len())
    }

    /// So many bytes of it were written.
    pub(super) fn wrote_interim(&self, count: usize) {
        self.interim.set(self.interim.get().get(count..).unwrap_or_default());
    }

    /// The connection leaves the HTTP server's hands, and this guard's.
    pub(super) fn take_over(&self) {
        self.phase.set(Phase::TakenOver);
    }

    /// The connection has left them.
    pub(super) fn leave(&self) {
        self.phase.set(Phase::Gone);
    }

    /// Whether it has. What is left of its task holds the sockets of the worker.
    pub(super) fn is_gone(&self) -> bool {
        self.phase.get() == Phase::Gone
    }

    /// The stream comes back from the HTTP server.
    pub(super) fn leave_behind(&self, stream: TcpStream) {
        self.left_behind.set(Some(stream));
    }

    /// The stream that came back.
    pub(super) fn take_left_behind(&self) -> Option<TcpStream> {
        self.left_behind.take()
    }

    /// Whether the connection only waits to be closed.
    pub(super) fn is_over(&self) -> bool {
        self.phase.get() == Phase::Over
    }

    /// Whether a response was begun that ends the connection.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Whether the times of the connection are this guard's affair.
    pub(super) fn is_guarded(&self) -> bool {
        !matches!(self.phase.get(), Phase::TakenOver | Phase::Gone)
    }

    /// When it will be too late for what the connection waits for, if it waits for the peer.
    pub(super) fn deadline(&self, limits: &TransportLimits, is_crowded: bool) -> Option<(Instant, Overdue)> {
        if let Some(since) = self.stalled_since.get() {
            return Some((since + limits.stalled, Overdue::Stalled));
        }
        let within = |limit: Duration, overdue| {
            let limit = if is_crowded { limit.min(limits.crowded) } else { limit };
            Some((self.since.get() + limit, overdue))
        };
        match self.phase.get() {
            Phase::Head => within(limits.head, Overdue::Head),
            Phase::Idle => within(limits.idle, Overdue::Idle),
            Phase::Request | Phase::Flushing | Phase::Over | Phase::TakenOver | Phase::Gone => None,
        }
    }
}

/// The last bytes of something, at most four: enough to see whether two things end alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    bytes: [u8; 4],
    known: usize,
}

impl Tail {
    /// The end of a head, and of a body in chunks (RFC 9112, 2.1 and 7.1).
    pub(super) const BLANK_LINE: Self = Self { bytes: *b"\r\n\r\n", known: 4 };

    /// The tail after these bytes.
    #[must_use]
    pub(super) fn followed_by(mut self, bytes: &[u8]) -> Self {
        for byte in bytes.iter().skip(bytes.len().saturating_sub(self.bytes.len())) {
            let [_, second, third, fourth] = self.bytes;
            self.bytes = [second, third, fourth, *byte];
            self.known = (self.known + 1).min(self.bytes.len());
        }
        self
    }

    fn ends_with(self, end: Self) -> bool {
        self.bytes.iter().rev().zip(end.bytes.iter().rev()).take(end.known).all(|(mine, other)| mine == other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: fn() -> TransportLimits = TransportLimits::default;

    fn waits_for(state: &ConnectionState) -> Option<Overdue> {
        state.deadline(&LIMITS(), false).map(|(_, overdue)| overdue)
    }

    /// A connection that has answered its first request, all of which came in these bytes.
    fn after_a_request(bytes: &[u8]) -> ConnectionState {
        let state = ConnectionState::default();
        state.received(bytes);
        assert!(state.begin_request());
        state.request_ends_with(Tail::BLANK_LINE);
        state.response_ended();
        state.flushed();
        state
    }

    #[test]
    fn a_tail_is_the_last_four_bytes_at_most() {
        let tail = Tail::default().followed_by(b"ab").followed_by(b"").followed_by(b"cde");
        assert_eq!(tail, Tail { bytes: *b"bcde", known: 4 });
        assert!(tail.ends_with(Tail::default().followed_by(b"de")));
        assert!(tail.ends_with(Tail::default()));
        assert!(!tail.ends_with(Tail::default().followed_by(b"ce")));
    }

    #[test]
    fn every_head_has_a_deadline_and_a_request_in_the_application_has_none() {
        let state = ConnectionState::default();
        assert_eq!(waits_for(&state), Some(Overdue::Head));
        state.received(b"GET / HTTP/1.1\r\n\r\n");
        assert!(state.begin_request());
        assert_eq!(waits_for(&state), None);
        state.request_ends_with(Tail::BLANK_LINE);
        state.response_ended();
        assert_eq!(waits_for(&state), None);
        state.flushed();
        assert_eq!(waits_for(&state), Some(Overdue::Idle));
        state.received(b"G");
        assert_eq!(waits_for(&state), Some(Overdue::Head));
    }

    #[test]
    fn a_head_that_came_with_the_request_before_it_has_a_deadline() {
        assert_eq!(waits_for(&after_a_request(b"GET / HTTP/1.1\r\n\r\n")), Some(Overdue::Idle));
        assert_eq!(waits_for(&after_a_request(b"GET / HTTP/1.1\r\n\r\nGET / HT")), Some(Overdue::Head));
    }

    #[test]
    fn a_peer_that_takes_nothing_has_a_deadline_in_every_phase() {
        let state = ConnectionState::default();
        assert!(state.begin_request());
        state.blocked();
        let first = state.deadline(&LIMITS(), false);
        assert_eq!(first.map(|(_, overdue)| overdue), Some(Overdue::Stalled));
        state.blocked();
        assert_eq!(state.deadline(&LIMITS(), false), first, "it is not put off by another attempt");
        state.progressed();
        assert_eq!(waits_for(&state), None);
    }

    #[test]
    fn after_a_response_that_ends_the_connection_nothing_is_read_and_no_request_begins() {
        let state = ConnectionState::default();
        assert!(state.begin_request());
        state.close_after_response();
        assert!(state.reads_no_more());
        state.response_ended();
        assert!(!state.begin_request());
        assert!(!state.is_over());
        state.flushed();
        assert!(state.is_over());
    }

    #[test]
    fn an_interim_response_is_left_out_when_the_response_is_there_unless_it_has_begun() {
        let state = ConnectionState::default();
        state.ask_for_body();
        state.withdraw_interim();
        assert_eq!(state.interim(), b"");
        state.ask_for_body();
        state.wrote_interim(1);
        state.withdraw_interim();
        assert_eq!(state.interim(), &CONTINUE[1..]);
        state.wrote_interim(CONTINUE.len() - 1);
        assert!(!state.interim_has_begun());
    }

    #[test]
    fn heads_and_idle_connections_of_a_crowded_node_have_less_time() {
        let idle = after_a_request(b"GET / HTTP/1.1\r\n\r\n");
        for (state, limit) in [(idle, LIMITS().idle), (ConnectionState::default(), LIMITS().head)] {
            let at = |is_crowded| state.deadline(&LIMITS(), is_crowded).unwrap().0;
            assert_eq!(at(true) + limit, at(false) + LIMITS().crowded);
        }
    }
}
