//! Scripts of everything that can happen between a log, a hub, its repair and those who watch: what was known at `p`
//! and the events of `(p, q]` are what is known at `q`, for every subscriber and every `q`.
//!
//! Nothing here runs on a runtime: the streams and the repair are polled by the script, and time passes when it says
//! so.

use std::collections::BTreeSet;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chat_domain::model::{LiveEvent, Seq, SessionEvent};
use chat_domain::ports::{EventStream, Notifier, SessionFeed, StartPosition, StreamCloseReason, StreamItem};
use chat_realtime::{Hub, HubFeed, HubSettings, PeerSink, Sleep, SuspectedGap, Timer, run_repair_with};
use chat_testkit::FixedClock;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{FakeLog, after, epoch, message, session, subscribe_request, typing};

#[derive(Clone, Debug)]
enum Op {
    /// A change is committed; its publication is under way.
    Commit,
    /// One of the publications under way arrives, not necessarily the oldest.
    Arrive(Index),
    /// One of them is lost.
    Lose(Index),
    /// Any committed change is published once more.
    Repeat(Index),
    /// So many changes are committed and published at once.
    Burst(u8),
    /// A typing event.
    Typing,
    /// A subscription, from a position or from now on.
    Connect(Option<Index>),
    /// A subscriber goes away.
    Leave(Index),
    /// A subscriber takes so many events, if there are so many.
    Listen(Index, u8),
    /// So many milliseconds pass.
    Pass(u16),
    /// It is reported that something may have been lost.
    SuspectedGap,
    /// Other nodes can be received, or not.
    PeersReachable(bool),
    /// The log fails, or does not any more.
    Fail(bool),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => Just(Op::Commit),
        5 => any::<Index>().prop_map(Op::Arrive),
        2 => any::<Index>().prop_map(Op::Lose),
        1 => any::<Index>().prop_map(Op::Repeat),
        1 => (1..12_u8).prop_map(Op::Burst),
        1 => Just(Op::Typing),
        3 => proptest::option::of(any::<Index>()).prop_map(Op::Connect),
        1 => any::<Index>().prop_map(Op::Leave),
        5 => (any::<Index>(), 1..6_u8).prop_map(|(who, events)| Op::Listen(who, events)),
        3 => (1..2_000_u16).prop_map(Op::Pass),
        1 => Just(Op::SuspectedGap),
        1 => any::<bool>().prop_map(Op::PeersReachable),
        1 => prop_oneof![1 => Just(true), 2 => Just(false)].prop_map(Op::Fail),
    ]
}

/// What a subscriber knows of the session, who knows everything up to a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Snapshot {
    seq: u64,
    digest: u64,
}

impl Snapshot {
    /// Takes the next change in; the order matters.
    fn with(self, event: &SessionEvent) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.digest, format!("{event:?}")).hash(&mut hasher);
        Self { seq: event.seq.get(), digest: hasher.finish() }
    }
}

/// Time that passes when the script says so.
#[derive(Default)]
struct ScriptTimer {
    times: Arc<Mutex<Times>>,
}

#[derive(Default)]
struct Times {
    now: Duration,
    next_id: u64,
    sleepers: BTreeSet<(Duration, u64)>,
}

impl ScriptTimer {
    /// Goes to the first moment up to `until` that a subscriber waits for, else to `until`. Returns whether there is
    /// more.
    fn pass(&self, until: Duration) -> bool {
        let mut times = self.times.lock().unwrap();
        let first = times.sleepers.first().copied().filter(|(deadline, _)| *deadline <= until);
        times.now = first.map_or(until, |(deadline, _)| deadline.max(times.now));
        if let Some(sleeper) = first {
            times.sleepers.remove(&sleeper);
        }
        first.is_some()
    }
}

impl Timer for ScriptTimer {
    fn now(&self) -> Duration {
        self.times.lock().unwrap().now
    }

    fn sleep(&self, time: Duration) -> Sleep {
        let mut times = self.times.lock().unwrap();
        let key = (times.now + time, times.next_id);
        times.next_id += 1;
        times.sleepers.insert(key);
        Box::pin(Sleeper { key, times: Arc::clone(&self.times) })
    }
}

/// Everything is polled after every jump of time, so it needs no waker.
struct Sleeper {
    key: (Duration, u64),
    times: Arc<Mutex<Times>>,
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.times.lock().unwrap().sleepers.contains(&self.key) { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.times.lock().unwrap().sleepers.remove(&self.key);
    }
}

struct TestSubscriber {
    stream: Box<dyn EventStream>,
    known: Snapshot,
}

struct Script {
    hub: Arc<Hub>,
    log: Arc<FakeLog>,
    feed: Arc<HubFeed>,
    timer: Arc<ScriptTimer>,
    repair: Pin<Box<dyn Future<Output = ()>>>,
    committed: Vec<SessionEvent>,
    /// What is known at each position, from the log alone.
    snapshots: Vec<Snapshot>,
    under_way: Vec<SessionEvent>,
    subscribers: Vec<TestSubscriber>,
}

impl Script {
    fn new(settings: HubSettings) -> Self {
        let (log, timer) = (Arc::new(FakeLog::default()), Arc::new(ScriptTimer::default()));
        let hub = Hub::new(settings, Arc::new(FixedClock::new()));
        let feed = HubFeed::with_timer(Arc::clone(&hub), Arc::clone(&log) as _, epoch(), Arc::clone(&timer) as _);
        let repair = Box::pin(run_repair_with(Arc::clone(&hub), Arc::clone(&log) as _, Arc::clone(&timer) as _));
        let snapshots = vec![Snapshot::default()];
        let (committed, under_way, subscribers) = (Vec::new(), Vec::new(), Vec::new());
        let mut script = Self { hub, log, feed, timer, repair, committed, snapshots, under_way, subscribers };
        script.commit();
        script
    }

    fn commit(&mut self) -> SessionEvent {
        let event = self.log.commit(session(), |seq| message(session(), seq));
        self.snapshots.push(self.snapshots.last().unwrap().with(&event));
        self.committed.push(event.clone());
        event
    }

    fn publish(&self, event: SessionEvent) {
        self.hub.publish(LiveEvent::Durable(event));
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Commit => {
                let event = self.commit();
                self.under_way.push(event);
            }
            Op::Arrive(_) | Op::Lose(_) if self.under_way.is_empty() => {}
            Op::Arrive(index) => {
                let event = self.under_way.remove(index.index(self.under_way.len()));
                self.publish(event);
            }
            Op::Lose(index) => drop(self.under_way.remove(index.index(self.under_way.len()))),
            Op::Repeat(index) => self.publish(index.get(&self.committed).clone()),
            Op::Burst(events) => {
                for _ in 0..*events {
                    let event = self.commit();
                    self.publish(event);
                }
            }
            Op::Typing => self.hub.publish(typing("bob", true)),
            Op::Connect(from) => self.connect(from.as_ref()),
            Op::Leave(_) | Op::Listen(..) if self.subscribers.is_empty() => {}
            Op::Leave(index) => drop(self.subscribers.swap_remove(index.index(self.subscribers.len()))),
            Op::Listen(index, events) => self.listen(index.index(self.subscribers.len()), usize::from(*events)),
            Op::Pass(ms) => self.pass(Duration::from_millis(u64::from(*ms)), false),
            Op::SuspectedGap => self.hub.mark_suspect(SuspectedGap::AllSessions),
            Op::PeersReachable(whether) => self.hub.set_peers_reachable(*whether),
            Op::Fail(failing) => self.log.fail(*failing),
        }
        self.poll_repair();
    }

    fn poll_repair(&mut self) {
        let polled = self.repair.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "the repair ends only with the hub");
    }

    /// Watches from a position that is one of the log's.
    fn connect(&mut self, from: Option<&Index>) {
        let start = from.map_or(StartPosition::Now, |index| after(index.index(self.snapshots.len()) as u64));
        let mut request = self.feed.subscribe(subscribe_request(session(), "alice", start.clone()));
        let subscription = loop {
            if let Poll::Ready(subscription) = request.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                break subscription.unwrap();
            }
        };
        drop(request);
        let at = match start {
            StartPosition::Now => subscription.outcome.head,
            StartPosition::After { seq, .. } => seq,
        };
        let known = *self.snapshots.get(usize::try_from(at.get()).unwrap()).unwrap();
        self.subscribers.push(TestSubscriber { stream: subscription.stream, known });
    }

    /// Lets a subscriber take what is there, and checks it.
    fn listen(&mut self, subscriber: usize, events: usize) {
        let subscriber = self.subscribers.get_mut(subscriber).unwrap();
        for _ in 0..events {
            match subscriber.stream.poll_next(&mut Context::from_waker(Waker::noop())) {
                // A reading that failed is tried again by the next call.
                Poll::Pending | Poll::Ready(Err(_)) => return,
                Poll::Ready(Ok(StreamItem::Closed(end))) => panic!("it ended: {end:?}"),
                Poll::Ready(Ok(StreamItem::Event(published))) => {
                    let LiveEvent::Durable(event) = published.event() else { continue };
                    assert_eq!(event.seq, Seq::new(subscriber.known.seq + 1), "once, in order, without gap");
                    subscriber.known = subscriber.known.with(event);
                    let truth = self.snapshots.get(usize::try_from(subscriber.known.seq).unwrap());
                    assert_eq!(Some(&subscriber.known), truth, "what a reader of the log would know");
                }
            }
        }
    }

    /// Lets time pass; the repair does what is due meanwhile, and optionally all subscribers receive.
    fn pass(&mut self, time: Duration, listening: bool) {
        let until = self.timer.now() + time;
        loop {
            let more = self.timer.pass(until);
            self.poll_repair();
            if listening {
                (0..self.subscribers.len()).for_each(|subscriber| self.listen(subscriber, usize::MAX));
            }
            if !more {
                return;
            }
        }
    }

    /// After one repair all subscribers know everything, and after the shutdown none is left.
    fn finish(mut self) {
        self.log.fail(false);
        // A log that has failed is left alone for up to 5 seconds; the next sweep may be 15 away.
        self.pass(Duration::from_secs(6), true);
        self.hub.mark_suspect(SuspectedGap::AllSessions);
        self.poll_repair();
        self.pass(Duration::from_secs(4), true);
        let truth = *self.snapshots.last().unwrap();
        for subscriber in &self.subscribers {
            assert_eq!(subscriber.known, truth, "one repair brings all subscribers to the head");
        }
        self.hub.shutdown();
        for subscriber in &mut self.subscribers {
            let said = subscriber.stream.poll_next(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(said, Poll::Ready(Ok(StreamItem::Closed(StreamCloseReason::NodeStopping)))), "{said:?}");
        }
        self.subscribers.clear();
        assert_eq!((self.hub.subscriptions(), self.hub.sessions()), (0, 0));
        assert!(self.repair.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}

fn settings() -> impl Strategy<Value = HubSettings> {
    (1..8_u32, 1..5_u32, 0..4_usize).prop_map(|(queue_events, page_events, early_events)| HubSettings {
        queue_events,
        page_events,
        early_events,
        ..HubSettings::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_and_the_events_after_it_are_the_later_snapshot(settings in settings(), ops in vec(op(), 0..100)) {
        let mut script = Script::new(settings);
        for op in &ops {
            script.apply(op);
        }
        script.finish();
    }
}
