//! One socket of a fleet: opened, read, and opened again when it is lost.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{sleep, sleep_until};

use super::plan::{FleetPlan, Reading};
use super::tally::{Tally, Track};
use crate::net::Dial;
use crate::socket::{Hello, Mode, Opening, Seen, Socket, SocketEnd, ack, heartbeat, is_kind, read_frame};

/// How long a socket that was lost or could not be opened is left alone.
const REOPEN_PAUSE: Duration = Duration::from_millis(200);
/// The least time between two acknowledgements.
const ACK_EVERY: Duration = Duration::from_secs(1);
/// What a stalled peer lets the kernel keep; it doubles the number.
const STALLED_BUFFER: u32 = 4_096;

/// What all members share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: FleetPlan,
    pub(super) tally: RefCell<Tally>,
    pub(super) slots: Vec<Slot>,
    pub(super) handshakes: Semaphore,
    /// How many sockets are open.
    pub(super) open: watch::Sender<usize>,
    /// Told whenever something came.
    pub(super) received: Notify,
}

/// What stays of a socket when it is lost.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) track: RefCell<Track>,
    /// Whether it was open ever: the next one resumes.
    pub(super) begun: Cell<bool>,
    /// Since when there is none.
    pub(super) lost_at: Cell<Option<Instant>>,
    turn: Cell<usize>,
}

/// Counts an open socket down whatever ends it, an abort included.
struct OpenGuard<'a> {
    shared: &'a Shared,
    slot: &'a Slot,
}

impl<'a> OpenGuard<'a> {
    fn new(shared: &'a Shared, slot: &'a Slot) -> Self {
        shared.open.send_modify(|open| *open += 1);
        slot.begun.set(true);
        slot.lost_at.set(None);
        Self { shared, slot }
    }
}

impl Drop for OpenGuard<'_> {
    fn drop(&mut self) {
        self.slot.lost_at.set(Some(Instant::now()));
        self.shared.open.send_modify(|open| *open -= 1);
    }
}

/// Lives until it is aborted, or until its end when it is not to be opened again.
pub(super) async fn live(shared: Rc<Shared>, number: usize) {
    let Some(slot) = shared.slots.get(number) else { return };
    loop {
        let end = once(&shared, slot, number).await;
        shared.tally.borrow_mut().end(end);
        slot.turn.set(slot.turn.get() + 1);
        if !shared.plan.reopen || end.is_final() {
            return;
        }
        sleep(REOPEN_PAUSE).await;
    }
}

async fn once(shared: &Shared, slot: &Slot, number: usize) -> SocketEnd {
    let Ok(permit) = shared.handshakes.acquire().await else { return SocketEnd::Unreachable };
    let begun = Instant::now();
    let (mut socket, hello) = match open(shared, slot, number).await {
        Ok(opened) => opened,
        Err(end) => return end,
    };
    let lost_for = slot.lost_at.get().filter(|_| slot.begun.get()).map(|at| at.elapsed());
    shared.tally.borrow_mut().open(begun.elapsed(), lost_for, hello.as_ref());
    drop(permit);
    {
        let mut track = slot.track.borrow_mut();
        track.last = None;
        if let Some(hello) = &hello {
            track.cursor.begin(hello);
            track.head = hello.seq;
        }
    }
    let _open = OpenGuard::new(shared, slot);
    match shared.plan.reading {
        Reading::Events => events(shared, slot, number, &mut socket).await,
        Reading::Frames => frames(shared, &mut socket).await,
        Reading::Nothing => {
            socket.until_broken().await;
            SocketEnd::Lost
        }
    }
}

/// Opens the socket, and in extended mode waits for its hello.
async fn open(shared: &Shared, slot: &Slot, number: usize) -> Result<(Socket, Option<Hello>), SocketEnd> {
    let plan = &shared.plan;
    let target = plan.targets.get(number + slot.turn.get()).ok_or(SocketEnd::Unreachable)?;
    let resumes = plan.mode == Mode::Extended && slot.begun.get();
    let place = plan.places.get(plan.place(number)).ok_or(SocketEnd::Unreachable)?;
    let path = if resumes { format!("{place}?{}", slot.track.borrow().cursor.query()) } else { place.clone() };
    let opening =
        Opening { target: &target, path: &path, token: plan.token(number), mode: plan.mode, limit: plan.timeout };
    let stalls = plan.reading == Reading::Nothing;
    let dial = Dial { number, receive_buffer: stalls.then_some(STALLED_BUFFER) };
    let mut socket = Socket::open_with(&opening, dial).await?;
    if plan.mode == Mode::Base || stalls {
        return Ok((socket, None));
    }
    match tokio::time::timeout(plan.timeout, socket.next()).await {
        Ok(Ok(Seen::Hello(hello))) => Ok((socket, Some(hello))),
        Ok(Ok(_)) => Err(SocketEnd::Malformed),
        Ok(Err(end)) => Err(end),
        Err(_) => Err(SocketEnd::Lost),
    }
}

/// Reads and understands everything.
async fn events(shared: &Shared, slot: &Slot, number: usize, socket: &mut Socket) -> SocketEnd {
    let (mode, place) = (shared.plan.mode, shared.plan.place(number));
    let acknowledges = shared.plan.acknowledge && mode == Mode::Extended;
    let mut acknowledged = slot.track.borrow().cursor.seq();
    let mut ack_at: Option<tokio::time::Instant> = None;
    // What the hello brought with it.
    for seen in socket.take_seen() {
        understood(shared, slot, place, &seen);
    }
    loop {
        let (mut malformed, mut heartbeats) = (false, None);
        let received = socket.receive(|text| match read_frame(text, mode) {
            Some(seen) => {
                if let Seen::Heartbeat(seq) = seen {
                    heartbeats = Some(seq.unwrap_or_default());
                }
                understood(shared, slot, place, &seen);
            }
            None => malformed = true,
        });
        let ended = match ack_at {
            None => received.await,
            Some(at) => tokio::select! {
                biased;
                () = sleep_until(at) => Ok(()),
                ended = received => ended,
            },
        };
        shared.received.notify_one();
        if malformed {
            return SocketEnd::Malformed;
        }
        if let Err(end) = ended {
            return end;
        }
        if let Some(seq) = heartbeats {
            socket.queue(&heartbeat(seq));
        }
        let seq = slot.track.borrow().cursor.seq();
        if acknowledges && seq > acknowledged {
            let now = tokio::time::Instant::now();
            if ack_at.is_none_or(|at| at <= now) {
                socket.queue(&ack(seq));
                acknowledged = seq;
                ack_at = Some(now + ACK_EVERY);
            }
        } else if ack_at.is_some_and(|at| at <= tokio::time::Instant::now()) {
            ack_at = None;
        }
    }
}

fn understood(shared: &Shared, slot: &Slot, place: usize, seen: &Seen) {
    let (mut tally, mut track) = (shared.tally.borrow_mut(), slot.track.borrow_mut());
    match seen {
        Seen::Message { id, content, seq } => tally.message(place, id, content, *seq, &mut track),
        Seen::Other { seq } => tally.other(place, *seq, &mut track),
        Seen::Heartbeat(Some(seq)) => {
            // An event of a kind that the service does not know, if it is one, is no gap.
            track.cursor.passes(*seq);
        }
        Seen::Hello(_) | Seen::Typing | Seen::Heartbeat(None) | Seen::Refused(_) | Seen::Unknown => {}
    }
}

/// Counts messages.
async fn frames(shared: &Shared, socket: &mut Socket) -> SocketEnd {
    loop {
        let mut must_answer = false;
        let ended = socket
            .receive(|text| {
                if !shared.tally.borrow_mut().frame(text) {
                    must_answer |= is_kind(text, "heartbeat");
                }
            })
            .await;
        shared.received.notify_one();
        if let Err(end) = ended {
            return end;
        }
        if must_answer {
            socket.queue(&heartbeat(0));
        }
    }
}
