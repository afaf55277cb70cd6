//! The queue and the cursor against a model: whatever is lost, doubled, late or out of order, a subscriber gets every
//! durable event after its start once, in order and without gap.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_domain::error::ReplayUnavailable;
use chat_domain::model::{Epoch, LiveEvent, Seq, SessionEvent};
use chat_domain::ports::{LogLimit, LogPage, Replay, SharedEvent, StartPosition};
use chat_realtime::HubSettings;
use chat_realtime::internals::{
    CursorStep, EventQueue, QueueItem, QueueLimits, SequenceGap, StreamCursor, page_of, replay,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{durable, epoch, typing};

/// Something that happens to one subscriber of one session.
#[derive(Clone, Debug)]
enum Op {
    /// A change is committed; its publication is under way.
    Commit,
    /// One of the publications under way arrives, not necessarily the oldest.
    Arrive(Index),
    /// One of the publications under way is lost.
    Lose(Index),
    /// Any committed change is published once more.
    Repeat(Index),
    /// A typing event.
    Typing,
    /// The subscriber does its next step.
    CursorStep(Log),
    /// The subscriber does steps until it has to wait.
    Drain,
}

/// How the log behaves when it is read.
#[derive(Clone, Copy, Debug)]
enum Log {
    Works,
    Fails,
    /// It returns fewer events than it should.
    AnswersHalf,
    /// It has not seen the newest changes yet.
    Lags,
    /// It leaves out the first event.
    HasAGap,
}

fn op() -> impl Strategy<Value = Op> {
    let log = prop_oneof![
        6 => Just(Log::Works), 1 => Just(Log::Fails), 1 => Just(Log::AnswersHalf), 1 => Just(Log::Lags),
        1 => Just(Log::HasAGap),
    ];
    prop_oneof![
        6 => Just(Op::Commit),
        6 => any::<Index>().prop_map(Op::Arrive),
        1 => any::<Index>().prop_map(Op::Lose),
        1 => any::<Index>().prop_map(Op::Repeat),
        1 => Just(Op::Typing),
        6 => log.prop_map(Op::CursorStep),
        1 => Just(Op::Drain),
    ]
}

struct Model {
    settings: HubSettings,
    committed: u64,
    under_way: Vec<u64>,
    queue: EventQueue,
    cursor: StreamCursor,
    start: u64,
    given: Vec<u64>,
}

impl Model {
    /// `past` changes are committed and their publications lost or still under way; then a stream starts.
    fn new(settings: HubSettings, past: u64, under_way: &BTreeSet<u64>, start: Option<u64>) -> Self {
        let cursor = StreamCursor::start(Seq::new(start.unwrap_or(past)), Seq::new(past), &settings);
        Self {
            settings,
            committed: past,
            under_way: under_way.iter().copied().filter(|seq| (1..=past).contains(seq)).collect(),
            queue: EventQueue::new(QueueLimits { events: settings.queue_events, bytes: settings.queue_bytes }),
            start: cursor.position().get(),
            cursor,
            given: Vec::new(),
        }
    }

    fn commit(&mut self) {
        self.committed += 1;
        self.under_way.push(self.committed);
    }

    fn arrive(&mut self, seq: u64) {
        self.queue.push(&SharedEvent::new(LiveEvent::Durable(durable(seq))));
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Commit => self.commit(),
            Op::Arrive(_) | Op::Lose(_) if self.under_way.is_empty() => {}
            Op::Arrive(index) => {
                let seq = self.under_way.remove(index.index(self.under_way.len()));
                self.arrive(seq);
            }
            Op::Lose(index) => {
                self.under_way.remove(index.index(self.under_way.len()));
            }
            Op::Repeat(_) if self.committed == 0 => {}
            Op::Repeat(index) => self.arrive(index.index(usize::try_from(self.committed).unwrap()) as u64 + 1),
            Op::Typing => {
                self.queue.push(&SharedEvent::new(typing("bob", true)));
            }
            Op::CursorStep(log) => {
                self.step(*log);
            }
            Op::Drain => self.drain(),
        }
        self.check();
    }

    /// One step of the subscriber; returns whether there was anything to do.
    fn step(&mut self, log: Log) -> bool {
        match self.cursor.step() {
            CursorStep::Deliver(event) => self.give(&event),
            CursorStep::Read { after, limit } => self.read(after, limit, log),
            waiting @ (CursorStep::Wait | CursorStep::WaitFor { .. }) => match self.queue.pop() {
                Some(QueueItem::Event(event)) => {
                    if let Some(event) = self.cursor.accept(event) {
                        self.give(&event);
                    }
                }
                Some(QueueItem::Gap { up_to }) => self.cursor.mark_gap(up_to),
                None if matches!(waiting, CursorStep::WaitFor { .. }) => self.cursor.stop_waiting(),
                None => return false,
            },
        }
        true
    }

    fn read(&mut self, after: Seq, limit: u32, log: Log) {
        assert!((1..=self.settings.page_events).contains(&limit), "a reading is bounded and not for nothing");
        let last = self.committed.min(after.get() + u64::from(limit));
        let events = (after.get() + 1..=last).map(durable).collect();
        let limit = LogLimit { events: limit, bytes: self.settings.page_bytes };
        let mut events: Vec<SessionEvent> = LogPage::within(limit, events).events;
        match log {
            Log::Works => {}
            Log::Fails => return,
            Log::AnswersHalf => events.truncate(events.len().div_ceil(2)),
            Log::Lags => events.clear(),
            Log::HasAGap if events.len() < 2 => {}
            Log::HasAGap => {
                events.remove(0);
                let broken = SequenceGap { expected: after.next(), found: after.next().next() };
                assert_eq!(self.cursor.page_loaded(page_of(events)), Err(broken));
                return;
            }
        }
        self.cursor.page_loaded(page_of(events)).unwrap();
    }

    fn give(&mut self, event: &Arc<SharedEvent>) {
        if let LiveEvent::Durable(event) = event.event() {
            let seq = event.seq.get();
            assert_eq!(seq, self.start + self.given.len() as u64 + 1, "once, in order, without gap");
            assert!(seq <= self.committed, "nothing that did not happen");
            self.given.push(seq);
        }
    }

    fn drain(&mut self) {
        let fuel = 10 * (self.committed + self.queue.len() as u64) + 100;
        for _ in 0..fuel {
            if !self.step(Log::Works) {
                return;
            }
            self.check();
        }
        panic!("the subscriber does not come to rest");
    }

    fn check(&self) {
        assert!(self.queue.len() <= self.settings.queue_events as usize, "the queue is bounded");
        let most = self.settings.page_events as usize + self.settings.early_events;
        assert!(self.cursor.buffered() <= most, "what the cursor keeps is bounded");
        let most = self.settings.page_bytes.max(LogLimit::bytes_of(&durable(1))) + self.settings.page_bytes;
        assert!(self.cursor.buffered_bytes() <= most, "in bytes too");
    }
}

fn settings() -> impl Strategy<Value = HubSettings> {
    let page_bytes = prop_oneof![2 => Just(256 * 1024), 1 => 0..1_500_usize];
    (1..12_u32, 1..6_u32, 0..6_usize, page_bytes).prop_map(|(queue_events, page_events, early_events, page_bytes)| {
        HubSettings { queue_events, page_events, early_events, page_bytes, ..HubSettings::default() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_durable_event_comes_once_in_order_and_without_gap(
        settings in settings(),
        past in 0..12_u64,
        under_way in proptest::collection::btree_set(1..12_u64, 0..6),
        after in proptest::option::of(any::<Index>()),
        ops in vec(op(), 0..120),
    ) {
        let start = after.map(|index| index.index(usize::try_from(past).unwrap() + 1) as u64);
        let mut model = Model::new(settings, past, &under_way, start);
        for op in &ops {
            model.apply(op);
        }
        // Whatever was lost is repaired at the latest by the next event that arrives.
        model.commit();
        model.arrive(model.committed);
        model.drain();
        let all: Vec<u64> = (model.start + 1..=model.committed).collect();
        prop_assert_eq!(model.given, all);
    }
}

/// What a subscription that starts at `seq` of that epoch replays, when the head is 1,001.
fn starting_at(seq: u64, theirs: Option<&str>) -> Replay {
    let start = StartPosition::After { seq: Seq::new(seq), epoch: theirs.map(|epoch| Epoch::parse(epoch).unwrap()) };
    replay(&start, Seq::new(1_001), &epoch(), 1_000)
}

#[test]
fn a_thousand_missed_events_are_replayed_and_one_more_is_not() {
    assert_eq!(starting_at(1, None), Replay::Complete { missed: 1_000 });
    assert_eq!(starting_at(1_001, Some("first")), Replay::Complete { missed: 0 });
    assert_eq!(starting_at(0, None), Replay::Unavailable(ReplayUnavailable::TooManyMissed { limit: 1_000 }));
    assert_eq!(replay(&StartPosition::Now, Seq::new(1_001), &epoch(), 1_000), Replay::Fresh);
}

#[test]
fn a_start_in_the_future_or_another_epoch_cannot_be_replayed() {
    assert_eq!(starting_at(1_002, None), Replay::Unavailable(ReplayUnavailable::AheadOfSession));
    for seq in [0, 1_000, 1_002] {
        assert_eq!(starting_at(seq, Some("second")), Replay::Unavailable(ReplayUnavailable::OtherEpoch));
    }
}

#[test]
fn an_early_event_is_preferred_to_its_copy_from_the_log() {
    let mut cursor = StreamCursor::start(Seq::ZERO, Seq::ZERO, &HubSettings::default());
    let early = SharedEvent::new(LiveEvent::Durable(durable(2)));
    assert!(cursor.accept(Arc::clone(&early)).is_none());
    cursor.stop_waiting();
    assert!(matches!(cursor.step(), CursorStep::Read { .. }));
    cursor.page_loaded(page_of(vec![durable(1), durable(2)])).unwrap();
    assert!(matches!(cursor.step(), CursorStep::Deliver(_)));
    let CursorStep::Deliver(second) = cursor.step() else { panic!("the second event is there") };
    assert!(Arc::ptr_eq(&second, &early));
}

#[test]
fn empty_reads_are_counted_until_an_event_comes() {
    let mut cursor = StreamCursor::start(Seq::ZERO, Seq::ZERO, &HubSettings::default());
    cursor.mark_gap(Seq::new(2));
    for before in 0..3 {
        assert!(matches!(cursor.step(), CursorStep::Read { .. }));
        cursor.page_loaded(page_of(Vec::new())).unwrap();
        assert!(matches!(cursor.step(), CursorStep::WaitFor { empty_reads, .. } if empty_reads == before + 1));
        cursor.stop_waiting();
    }
    cursor.page_loaded(page_of(vec![durable(1)])).unwrap();
    assert!(matches!(cursor.step(), CursorStep::Deliver(_)));
    cursor.page_loaded(page_of(Vec::new())).unwrap();
    assert!(matches!(cursor.step(), CursorStep::WaitFor { empty_reads: 1, .. }));
}

#[test]
fn early_events_weigh_no_more_than_a_page() {
    let settings = HubSettings { page_bytes: 3 * LogLimit::bytes_of(&durable(1)), ..HubSettings::default() };
    let mut cursor = StreamCursor::start(Seq::ZERO, Seq::ZERO, &settings);
    for seq in 2..=4 {
        assert!(cursor.accept(SharedEvent::new(LiveEvent::Durable(durable(seq)))).is_none());
    }
    assert_eq!((cursor.buffered(), cursor.buffered_bytes()), (3, settings.page_bytes));
    // One more is too much: the log has them all.
    assert!(cursor.accept(SharedEvent::new(LiveEvent::Durable(durable(5)))).is_none());
    assert_eq!((cursor.buffered(), cursor.buffered_bytes()), (0, 0));
    assert!(matches!(cursor.step(), CursorStep::Read { after: Seq::ZERO, limit: 5 }));
}
