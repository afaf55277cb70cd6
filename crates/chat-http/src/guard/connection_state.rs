//! What a connection is doing: a state machine over cells, shared by the stream, the application and the guard of one
//! connection, all on one thread.

use std::cell::Cell;
use std::task::Waker;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::address_counts::AddressSlot;
use crate::transport_limits::TransportLimits;

/// The interim response that asks for the body (RFC 9110, 15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How many bytes of a body the HTTP server has at most beside what it reads at once. It would read up to 128 KiB while
/// the application waits for the disk.
const MOST_UNREAD: usize = 16 * 1024;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionPhase {
    /// No byte has come yet.
    Silent,
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
    /// The connection was taken out of the HTTP server.
    Gone,
}

/// What a connection took too long for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExceededTimeout {
    Head,
    Idle,
    Stalled,
}

/// The state of a connection.
pub(crate) struct ConnectionState {
    phase: Cell<ConnectionPhase>,
    since: Cell<Instant>,
    /// Since when the peer has taken no byte of what waits for it.
    stalled_since: Cell<Option<Instant>>,
    /// The response that is being made ends the connection.
    closing: Cell<bool>,
    /// The HTTP server has all bytes of the request whose response is not written yet.
    has_request: Cell<bool>,
    /// What came is no body, or too much beside it.
    broken: Cell<bool>,
    /// How many bytes of the body the HTTP server has and the application has not.
    unread: Cell<usize>,
    /// The task that waits for the application to read some.
    reader: Cell<Option<Waker>>,
    /// What is still to be written of an interim response.
    interim: Cell<&'static [u8]>,
    /// The stream, after the HTTP server has let it go.
    returned_stream: Cell<Option<TcpStream>>,
    /// Counts the connection among those of its address.
    address_slot: Cell<Option<AddressSlot>>,
}

impl Default for ConnectionState {
    /// The state of a connection that begins now.
    fn default() -> Self {
        Self {
            phase: Cell::new(ConnectionPhase::Silent),
            since: Cell::new(Instant::now()),
            stalled_since: Cell::new(None),
            closing: Cell::new(false),
            has_request: Cell::new(false),
            broken: Cell::new(false),
            unread: Cell::new(0),
            reader: Cell::new(None),
            interim: Cell::new(&[]),
            returned_stream: Cell::new(None),
            address_slot: Cell::new(None),
        }
    }
}

impl ConnectionState {
    fn enter(&self, phase: ConnectionPhase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    /// Bytes of a request came.
    pub(super) fn received(&self) {
        match self.phase.get() {
            // The time for the first head runs from the start of the connection.
            ConnectionPhase::Silent => self.phase.set(ConnectionPhase::Head),
            ConnectionPhase::Idle => self.enter(ConnectionPhase::Head),
            _ => {}
        }
    }

    /// Whether nothing more is read: the HTTP server would read the rest of a body only to drop it, however long it is.
    pub(super) fn reads_no_more(&self) -> bool {
        self.closing.get() || self.broken.get()
    }

    /// The HTTP server has the whole request. What follows is kept from it until the response is written.
    pub(super) fn request_ended(&self) {
        self.has_request.set(true);
    }

    /// Whether what follows is kept from the HTTP server.
    pub(super) fn holds_back(&self) -> bool {
        self.has_request.get()
    }

    /// The HTTP server has so many more bytes of the body.
    pub(super) fn body_came(&self, bytes: usize) {
        self.unread.set(self.unread.get().saturating_add(bytes));
    }

    /// The application has read so many bytes of the body.
    pub(super) fn body_read(&self, bytes: usize) {
        self.unread.set(self.unread.get().saturating_sub(bytes));
        if self.unread.get() < MOST_UNREAD
            && let Some(reader) = self.reader.take()
        {
            reader.wake();
        }
    }

    /// Whether the HTTP server gets no more of the body until the application has read some; then `task` is woken.
    pub(super) fn waits_for_application(&self, task: &Waker) -> bool {
        let waits = self.unread.get() >= MOST_UNREAD;
        if waits {
            self.reader.set(Some(task.clone()));
        }
        waits
    }

    /// What came is no body, or too much beside it.
    pub(super) fn body_broke(&self) {
        self.broken.set(true);
    }

    /// Whether the rest of the body will not come.
    pub(super) fn body_is_broken(&self) -> bool {
        self.broken.get()
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

    /// Everything that the HTTP server had to write is written. `has_more` is whether bytes of the next request have come.
    /// Returns whether the HTTP server may have them now.
    pub(super) fn flushed(&self, has_more: bool) -> bool {
        if self.phase.get() != ConnectionPhase::Flushing {
            return false;
        }
        // Where the guard and the HTTP server disagree about where a request ends, no other one is looked at.
        if self.closing.get() || !self.has_request.replace(false) {
            self.closing.set(true);
            self.phase.set(ConnectionPhase::Over);
            false
        } else {
            self.unread.set(0);
            self.enter(if has_more { ConnectionPhase::Head } else { ConnectionPhase::Idle });
            true
        }
    }

    /// A request has come. `false` when it must not be looked at, since the response before it ends the connection.
    pub(super) fn begin_request(&self) -> bool {
        let begins = !self.closing.get();
        if begins {
            self.phase.set(ConnectionPhase::Request);
        }
        begins
    }

    /// The response that is made now will be the last one: the request is not read to its end.
    pub(super) fn close_after_response(&self) {
        self.closing.set(true);
    }

    /// The HTTP server has all of the response.
    pub(super) fn response_ended(&self) {
        if self.phase.get() == ConnectionPhase::Request {
            self.phase.set(ConnectionPhase::Flushing);
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

    /// The connection has left the HTTP server and the guard, and became a socket.
    pub(super) fn leave(&self) {
        self.phase.set(ConnectionPhase::Gone);
    }

    /// Whether it has left them. What is left of its task is the anchor of the worker's sockets.
    pub(super) fn is_gone(&self) -> bool {
        self.phase.get() == ConnectionPhase::Gone
    }

    /// Takes the stream back from the HTTP server.
    pub(super) fn return_stream(&self, stream: TcpStream) {
        self.returned_stream.set(Some(stream));
    }

    /// The stream that the HTTP server has returned.
    pub(super) fn take_returned_stream(&self) -> Option<TcpStream> {
        self.returned_stream.take()
    }

    /// Keeps what counts the connection for as long as it lives.
    pub(super) fn keep_address_slot(&self, slot: AddressSlot) {
        self.address_slot.set(Some(slot));
    }

    /// What counts the connection, for what it becomes.
    pub(super) fn take_address_slot(&self) -> Option<AddressSlot> {
        self.address_slot.take()
    }

    /// Whether the connection only waits to be closed.
    pub(super) fn is_over(&self) -> bool {
        self.phase.get() == ConnectionPhase::Over
    }

    /// Whether a response was begun that ends the connection.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Whether the guard limits the times of the connection.
    pub(super) fn is_guarded(&self) -> bool {
        self.phase.get() != ConnectionPhase::Gone
    }

    /// When it will be too late for what the connection waits for, if it waits for the peer.
    pub(super) fn deadline(&self, limits: &TransportLimits, is_crowded: bool) -> Option<(Instant, ExceededTimeout)> {
        if let Some(since) = self.stalled_since.get() {
            let limit = if is_crowded { limits.stalled.min(limits.crowded_stalled) } else { limits.stalled };
            return Some((since + limit, ExceededTimeout::Stalled));
        }
        let within = |limit: Duration, crowded: Duration, overdue| {
            let limit = if is_crowded { limit.min(crowded) } else { limit };
            Some((self.since.get() + limit, overdue))
        };
        match self.phase.get() {
            ConnectionPhase::Silent => within(limits.head, limits.crowded_silent, ExceededTimeout::Head),
            ConnectionPhase::Head => within(limits.head, limits.crowded, ExceededTimeout::Head),
            ConnectionPhase::Idle => within(limits.idle, limits.crowded, ExceededTimeout::Idle),
            ConnectionPhase::Request | ConnectionPhase::Flushing | ConnectionPhase::Over | ConnectionPhase::Gone => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: fn() -> TransportLimits = TransportLimits::default;

    fn waits_for(state: &ConnectionState) -> Option<ExceededTimeout> {
        state.deadline(&LIMITS(), false).map(|(_, overdue)| overdue)
    }

    /// A connection that has answered its first request, and whether bytes of the next one have come by then.
    fn after_a_request(has_more: bool) -> ConnectionState {
        let state = ConnectionState::default();
        state.received();
        state.request_ended();
        assert!(state.begin_request());
        state.response_ended();
        assert!(state.holds_back());
        assert!(state.flushed(has_more));
        assert!(!state.holds_back());
        state
    }

    #[test]
    fn every_head_has_a_deadline_and_a_request_in_the_application_has_none() {
        let state = ConnectionState::default();
        assert_eq!(waits_for(&state), Some(ExceededTimeout::Head));
        state.received();
        state.request_ended();
        assert!(state.begin_request());
        assert_eq!(waits_for(&state), None);
        state.response_ended();
        assert_eq!(waits_for(&state), None);
        state.flushed(false);
        assert_eq!(waits_for(&state), Some(ExceededTimeout::Idle));
        state.received();
        assert_eq!(waits_for(&state), Some(ExceededTimeout::Head));
    }

    #[test]
    fn a_head_that_came_with_the_request_before_it_has_a_deadline() {
        assert_eq!(waits_for(&after_a_request(false)), Some(ExceededTimeout::Idle));
        assert_eq!(waits_for(&after_a_request(true)), Some(ExceededTimeout::Head));
    }

    #[test]
    fn a_body_is_read_as_far_as_the_application_does() {
        let state = ConnectionState::default();
        state.body_came(MOST_UNREAD + 5);
        assert!(state.waits_for_application(Waker::noop()));
        state.body_read(5);
        assert!(state.waits_for_application(Waker::noop()));
        state.body_read(1);
        assert!(!state.waits_for_application(Waker::noop()));
    }

    #[test]
    fn a_response_before_the_end_of_its_request_ends_the_connection() {
        let state = ConnectionState::default();
        assert!(state.begin_request());
        state.response_ended();
        assert!(!state.flushed(false));
        assert!(state.is_over() && state.reads_no_more());
    }

    #[test]
    fn a_peer_that_reads_nothing_has_a_deadline_in_every_phase() {
        let state = ConnectionState::default();
        assert!(state.begin_request());
        state.blocked();
        let first = state.deadline(&LIMITS(), false);
        assert_eq!(first.map(|(_, overdue)| overdue), Some(ExceededTimeout::Stalled));
        state.blocked();
        assert_eq!(state.deadline(&LIMITS(), false), first, "it is not put off by another attempt");
        state.progressed();
        assert_eq!(waits_for(&state), None);
    }

    #[test]
    fn after_a_closing_response_no_further_request_is_read() {
        let state = ConnectionState::default();
        assert!(state.begin_request());
        state.close_after_response();
        assert!(state.reads_no_more());
        state.response_ended();
        assert!(!state.begin_request());
        assert!(!state.is_over());
        assert!(!state.flushed(true));
        assert!(state.is_over());
    }

    #[test]
    fn an_interim_response_not_begun_is_left_out_before_the_response() {
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
    fn connections_of_a_crowded_worker_have_less_time() {
        let limits = LIMITS();
        let silent = ConnectionState::default();
        let head = ConnectionState::default();
        head.received();
        let idle = after_a_request(false);
        let stalled = ConnectionState::default();
        stalled.blocked();
        for (state, limit, crowded) in [
            (silent, limits.head, limits.crowded_silent),
            (head, limits.head, limits.crowded),
            (idle, limits.idle, limits.crowded),
            (stalled, limits.stalled, limits.crowded_stalled),
        ] {
            let at = |is_crowded| state.deadline(&limits, is_crowded).unwrap().0;
            assert_eq!(at(true) + limit, at(false) + crowded);
        }
    }
}
