//! One socket of a fleet: opened, read, and opened again when it is lost.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{sleep, sleep_until};

use super::counts::{FleetCounts, SocketProgress};
use super::multiplexed::{SessionsProgress, SharedState};
use super::plan::{FleetPlan, Reading};
use crate::net::ConnectOptions;
use crate::socket::{
    ClientCloseReason, ClientSocketMode, Hello, IncomingFrame, Socket, SocketRequest, ack, heartbeat, is_type,
};

/// The pause before a socket that was lost or could not be opened is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(200);
/// The least time between two acknowledgements.
const ACK_EVERY: Duration = Duration::from_secs(1);
/// What the kernel keeps for a peer that does not read; it doubles the number.
const STALLED_BUFFER: u32 = 4_096;

/// What all sockets share.
#[derive(Debug)]
pub(super) struct FleetState {
    pub(super) plan: FleetPlan,
    pub(super) counts: RefCell<FleetCounts>,
    pub(super) members: Vec<Member>,
    pub(super) handshakes: Semaphore,
    /// How many sockets are open.
    pub(super) open: watch::Sender<usize>,
    /// Notified of every frame.
    pub(super) received: Notify,
}

impl FleetState {
    fn shared(&self) -> SharedState<'_> {
        SharedState { plan: &self.plan, counts: &self.counts, received: &self.received }
    }
}

/// What stays of a socket when it is lost.
#[derive(Debug, Default)]
pub(super) struct Member {
    progress: RefCell<SocketProgress>,
    /// In place of it, of a multiplexed socket.
    sessions: SessionsProgress,
    /// When its last socket was lost; the next one resumes.
    lost_at: Cell<Option<Instant>>,
    /// How many sockets it had: the next one is opened at the next node.
    turn: Cell<usize>,
}

/// Counts an open socket down whatever ends it, an abort included.
struct OpenGuard<'a>(&'a FleetState, &'a Member);

impl<'a> OpenGuard<'a> {
    fn new(state: &'a FleetState, member: &'a Member) -> Self {
        state.open.send_modify(|open| *open += 1);
        Self(state, member)
    }
}

impl Drop for OpenGuard<'_> {
    fn drop(&mut self) {
        self.1.lost_at.set(Some(Instant::now()));
        self.0.open.send_modify(|open| *open -= 1);
    }
}

/// Runs until it is aborted, or until the end of its socket when it is not to be opened again.
pub(super) async fn run(state: Rc<FleetState>, number: usize) {
    let Some(member) = state.members.get(number) else { return };
    loop {
        let reason = one_socket(&state, member, number).await;
        *state.counts.borrow_mut().closed.entry(reason).or_default() += 1;
        member.turn.set(member.turn.get() + 1);
        if !state.plan.reopen || reason.is_final() {
            return;
        }
        sleep(REOPEN_PAUSE).await;
    }
}

async fn one_socket(state: &FleetState, member: &Member, number: usize) -> ClientCloseReason {
    let Ok(permit) = state.handshakes.acquire().await else { return ClientCloseReason::Unreachable };
    let begun = Instant::now();
    let (mut socket, hello) = match open(state, member, number).await {
        Ok(opened) => opened,
        Err(reason) => return reason,
    };
    let lost_for = member.lost_at.get().map(|at| at.elapsed());
    if let Err(reason) = member.sessions.begin(state.shared(), number, &mut socket, lost_for).await {
        return reason;
    }
    state.counts.borrow_mut().open(begun.elapsed());
    drop(permit);
    {
        let mut progress = member.progress.borrow_mut();
        progress.last = None;
        if let Some(hello) = &hello {
            state.counts.borrow_mut().resume(lost_for, hello);
            progress.cursor.begin(hello);
            progress.head = hello.seq;
        }
    }
    let _open = OpenGuard::new(state, member);
    match state.plan.reading {
        Reading::Events if state.plan.multiplexed.is_some() => member.sessions.read(state.shared(), &mut socket).await,
        Reading::Events => read_events(state, member, number, &mut socket).await,
        Reading::Frames => read_frames(state, &mut socket).await,
        Reading::Nothing => {
            socket.until_broken().await;
            ClientCloseReason::Lost
        }
    }
}

/// Opens the socket, and in extended mode waits for its hello; that of a multiplexed socket is left to be read.
async fn open(
    state: &FleetState,
    member: &Member,
    number: usize,
) -> Result<(Socket, Option<Hello>), ClientCloseReason> {
    let plan = &state.plan;
    let node = plan.nodes.get((number + member.turn.get()) % plan.nodes.len().max(1));
    let path = plan.paths.get(plan.place(number));
    let (Some(target), Some(path)) = (node, path) else { return Err(ClientCloseReason::Unreachable) };
    let is_of_a_session = plan.mode == ClientSocketMode::Extended && plan.multiplexed.is_none();
    let resumes = is_of_a_session && member.lost_at.get().is_some();
    let path = if resumes { format!("{path}?{}", member.progress.borrow().cursor.query()) } else { path.clone() };
    let (token, limit) = (plan.token(number), plan.timeout);
    let request = SocketRequest { target, path: &path, token, mode: plan.mode, limit };
    let stalls = plan.reading == Reading::Nothing;
    let options = ConnectOptions { number, receive_buffer: stalls.then_some(STALLED_BUFFER) };
    let mut socket = Socket::open_with(&request, options).await?;
    let hello = if is_of_a_session && !stalls { Some(socket.hello(limit).await?) } else { None };
    Ok((socket, hello))
}

/// Reads and parses everything.
async fn read_events(state: &FleetState, member: &Member, number: usize, socket: &mut Socket) -> ClientCloseReason {
    let place = state.plan.place(number);
    let acknowledges = state.plan.acknowledge && state.plan.mode == ClientSocketMode::Extended;
    let mut acknowledged = member.progress.borrow().cursor.seq();
    let mut next_ack = tokio::time::Instant::now();
    loop {
        let seq = member.progress.borrow().cursor.seq();
        let received = tokio::select! {
            biased;
            () = sleep_until(next_ack), if acknowledges && seq > acknowledged => {
                socket.queue(ack(seq));
                (acknowledged, next_ack) = (seq, tokio::time::Instant::now() + ACK_EVERY);
                continue;
            }
            received = socket.next() => received,
        };
        match received {
            Ok(frame) => count(state, member, place, &frame),
            Err(reason) => return reason,
        }
        state.received.notify_one();
    }
}

fn count(state: &FleetState, member: &Member, place: usize, frame: &IncomingFrame) {
    let (mut counts, mut progress) = (state.counts.borrow_mut(), member.progress.borrow_mut());
    match frame {
        IncomingFrame::Message { id, content, seq } => counts.message(place, (id, content), *seq, &mut progress),
        IncomingFrame::Other { seq } => counts.other(place, *seq, &mut progress),
        IncomingFrame::Heartbeat(Some(seq)) => {
            // An event of a kind that the service does not know, if it is one, is no gap.
            progress.cursor.passes(*seq);
        }
        _ => {}
    }
}

/// Counts messages.
async fn read_frames(state: &FleetState, socket: &mut Socket) -> ClientCloseReason {
    loop {
        match socket.next_text().await {
            Ok(text) => {
                if !state.counts.borrow_mut().frame(&text) && is_type(text.as_bytes(), "heartbeat") {
                    socket.queue(heartbeat(0));
                }
            }
            Err(reason) => return reason,
        }
        state.received.notify_one();
    }
}
