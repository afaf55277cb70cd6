//! Sockets under load: how many messages they receive, how long after sending, and whether in one order.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::{sleep, timeout_at};

use crate::error::LoadError;
use crate::http::{Target, stamp_of};
use crate::measure::{Latency, histogram};
use crate::monotonic;
use crate::socket::{Seen, Socket, SocketEnd};

/// How long a socket that could not be opened is left alone.
const REOPEN_PAUSE: Duration = Duration::from_millis(200);
/// Faults of order that are kept in words; the others are counted.
const KEPT_FAULTS: usize = 20;

/// What to watch.
#[derive(Clone, Debug)]
pub struct WatchPlan {
    /// The service.
    pub target: Target,
    /// In whose name.
    pub token: String,
    /// The sessions, which the sockets take in turn. Not empty.
    pub sessions: Vec<String>,
    /// How many sockets.
    pub sockets: usize,
    /// How long.
    pub duration: Duration,
    /// How long opening a socket may take.
    pub timeout: Duration,
}

/// What the sockets saw. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchReport {
    /// `watch`.
    pub command: &'static str,
    /// Sockets at the same time.
    pub sockets: usize,
    /// Sessions they were spread over.
    pub sessions: usize,
    /// From the first handshake to the end.
    pub seconds: f64,
    /// Handshakes that succeeded; more than `sockets` when some were lost.
    pub opened: u64,
    /// Handshakes that were refused, by status.
    pub refused: BTreeMap<String, u64>,
    /// Connections that were lost or could not be made.
    pub lost: u64,
    /// Messages received, each socket on its own.
    pub messages: u64,
    /// Other durable events received.
    pub other_events: u64,
    /// `messages` by `seconds`.
    pub messages_per_second: f64,
    /// From sending to receiving, of messages that say when they were sent; `null` when there are none.
    pub delivery_us: Option<Latency>,
    /// Messages that came in another order than on another socket, doubled, or with a gap that another did not have.
    pub order_faults: u64,
    /// The first of them, in words.
    pub first_faults: Vec<String>,
}

/// Who followed whom, per session. On sockets without a gap, a message has the same neighbours wherever it is seen.
/// Hashes of ids stand for ids, to keep it small.
#[derive(Default)]
struct Order {
    hashes: RandomState,
    next: HashMap<(usize, u64), u64>,
    previous: HashMap<(usize, u64), u64>,
}

impl Order {
    fn hash(&self, id: &str) -> u64 {
        self.hashes.hash_one(id)
    }

    /// Whether `second` right after `first` agrees with what all sockets of this session saw so far.
    fn follows(&mut self, session: usize, first: u64, second: u64) -> bool {
        let next = *self.next.entry((session, first)).or_insert(second);
        let previous = *self.previous.entry((session, second)).or_insert(first);
        next == second && previous == first
    }
}

struct Counts {
    opened: u64,
    refused: BTreeMap<String, u64>,
    lost: u64,
    messages: u64,
    other_events: u64,
    delivery: Histogram<u64>,
    order: Order,
    order_faults: u64,
    first_faults: Vec<String>,
}

/// Opens the sockets and receives until the time is over. Must run inside a `LocalSet`.
///
/// # Errors
/// The counters cannot be made. What goes wrong with sockets is counted.
pub async fn watch(plan: WatchPlan) -> Result<WatchReport, LoadError> {
    let counts = Rc::new(RefCell::new(Counts {
        opened: 0,
        refused: BTreeMap::new(),
        lost: 0,
        messages: 0,
        other_events: 0,
        delivery: histogram()?,
        order: Order::default(),
        order_faults: 0,
        first_faults: Vec::new(),
    }));
    let started = Instant::now();
    let end = started + plan.duration;
    let plan = Rc::new(plan);
    let sockets: Vec<_> = (0..plan.sockets)
        .map(|number| tokio::task::spawn_local(receive(Rc::clone(&plan), number, end, Rc::clone(&counts))))
        .collect();
    for socket in sockets {
        let _ended = socket.await;
    }
    let counts = counts.borrow();
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let messages_per_second = (counts.messages as f64 / seconds * 100.0).round() / 100.0;
    Ok(WatchReport {
        command: "watch",
        sockets: plan.sockets,
        sessions: plan.sessions.len(),
        seconds: (seconds * 100.0).round() / 100.0,
        opened: counts.opened,
        refused: counts.refused.clone(),
        lost: counts.lost,
        messages: counts.messages,
        other_events: counts.other_events,
        messages_per_second,
        delivery_us: Latency::of(&counts.delivery),
        order_faults: counts.order_faults,
        first_faults: counts.first_faults.clone(),
    })
}

/// One socket, opened again when it is lost. What it missed meanwhile is not asked for, so its order starts anew.
async fn receive(plan: Rc<WatchPlan>, number: usize, end: Instant, counts: Rc<RefCell<Counts>>) {
    let place = number % plan.sessions.len().max(1);
    let Some(session) = plan.sessions.get(place) else { return };
    let end = tokio::time::Instant::from_std(end);
    while tokio::time::Instant::now() < end {
        let mut socket = match Socket::open(&plan.target, session, "", &plan.token, plan.timeout).await {
            Ok(socket) => socket,
            Err(refusal) => {
                counts.borrow_mut().count_end(refusal);
                sleep(REOPEN_PAUSE).await;
                continue;
            }
        };
        counts.borrow_mut().opened += 1;
        let mut last = None;
        loop {
            match timeout_at(end, socket.next()).await {
                Err(_) => return,
                Ok(Ok(seen)) => counts.borrow_mut().count(session, place, &seen, &mut last),
                Ok(Err(loss)) => {
                    counts.borrow_mut().count_end(loss);
                    break;
                }
            }
        }
    }
}

impl Counts {
    fn count_end(&mut self, end: SocketEnd) {
        match end {
            SocketEnd::Refused(status) => *self.refused.entry(status.to_string()).or_default() += 1,
            SocketEnd::Lost | SocketEnd::Malformed => self.lost += 1,
        }
    }

    fn count(&mut self, session: &str, place: usize, seen: &Seen, last: &mut Option<u64>) {
        let Seen::Message { id, content } = seen else {
            self.other_events += 1;
            return;
        };
        self.messages += 1;
        if let Some(sent_us) = stamp_of(content) {
            self.delivery.saturating_record(monotonic::now_us().saturating_sub(sent_us));
        }
        let id_hash = self.order.hash(id);
        let fits = last.is_none_or(|last| self.order.follows(place, last, id_hash));
        *last = Some(id_hash);
        if !fits {
            self.order_faults += 1;
            if self.first_faults.len() < KEPT_FAULTS {
                self.first_faults
                    .push(format!("session {session}: message {id} came where another socket had another"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_one_order_agree_and_others_do_not() {
        let mut order = Order::default();
        assert!([(1, 2), (2, 3), (3, 4)].into_iter().all(|(a, b)| order.follows(0, a, b)));
        assert!(order.follows(0, 2, 3), "another socket, the same order");
        assert!(order.follows(1, 2, 4), "another session");
        assert!(!order.follows(0, 2, 4), "3 is missing");
        assert!(!order.follows(0, 4, 2), "2 came again");
    }
}
