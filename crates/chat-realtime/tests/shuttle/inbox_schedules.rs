//! Inboxes that open while sessions change hands, with events that are lost, doubled and late, and a reader that may be slow
//! at any point.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Relaxation};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat_domain::error::Result;
use chat_domain::inbox::{ActiveSession, InboxOwner, InboxRange, InboxView, place};
use chat_domain::model::{AgentId, ChatSession, EventChange, KnownPeople, Seq, SessionEvent, SessionId};
use chat_domain::ports::{InboxFeed, InboxReader, InboxStream};
use chat_testkit::fixtures::{agent_id, alice, bob, carol, new_session, session_id, start};
use shuttle::future::{block_on, yield_now};
use shuttle::thread;

use crate::inboxes::{HubInboxFeed, Inboxes, run_inboxes_with};
use crate::schedules::{find_the_fault, join, try_schedules};
use crate::settings::InboxRules;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};
use crate::world::ManualTimer;

const VIEWS: [InboxView; 2] = [InboxView::Mine, InboxView::Waiting];

/// How many readings of a schedule the time may cut off. Without a limit there are schedules in which no reading ends.
const CUT_OFF: usize = 5;

/// Sessions in memory. A reading may be overtaken between its parts.
#[derive(Default)]
struct Sessions {
    by_id: Mutex<BTreeMap<SessionId, ChatSession>>,
    /// How many readings are under way, and how many were given up.
    readings: AtomicUsize,
    given_up: AtomicUsize,
}

/// A reading that is under way.
struct Reading<'a> {
    of: &'a Sessions,
    has_ended: bool,
}

impl Reading<'_> {
    fn end(mut self) {
        self.has_ended = true;
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.of.readings.fetch_sub(1, Relaxation::SeqCst);
        self.of.given_up.fetch_add(usize::from(!self.has_ended), Relaxation::SeqCst);
    }
}

impl Sessions {
    fn begin_reading(&self) -> Reading<'_> {
        self.readings.fetch_add(1, Relaxation::SeqCst);
        Reading { of: self, has_ended: false }
    }

    /// Whether time may pass, which cuts a reading off.
    fn may_time_pass(&self) -> bool {
        self.readings.load(Relaxation::SeqCst) == 0 || self.given_up.load(Relaxation::SeqCst) < CUT_OFF
    }

    /// Changes a session, or opens it, without publishing the event.
    fn commit(&self, id: SessionId, change: impl FnOnce(Option<ChatSession>) -> ChatSession) -> SessionEvent {
        let mut sessions = lock(&self.by_id);
        let session = change(sessions.remove(&id));
        sessions.insert(id, session.clone());
        let (seq, change) = (session.progress.last_seq, EventChange::Transferred(session));
        let (at, actor) = (start(), alice().id);
        SessionEvent { session_id: id, seq, at, actor, key: None, change, people: KnownPeople::default() }
    }

    fn give(&self, n: u64, to: Option<AgentId>) -> SessionEvent {
        self.commit(session_id(n), |session| session.unwrap().transfer(to, start()).unwrap())
    }

    fn open(&self, n: u64) -> SessionEvent {
        self.commit(session_id(n), |_| ChatSession::open(new_session(n)))
    }

    fn view(&self, view: InboxView) -> Vec<ChatSession> {
        let owner = InboxOwner::of(&bob());
        lock(&self.by_id).values().filter(|session| place(&owner, view, session).is_some()).cloned().collect()
    }
}

#[async_trait]
impl InboxReader for Sessions {
    async fn find_many(&self, ids: Vec<SessionId>) -> Result<Vec<ChatSession>> {
        let reading = self.begin_reading();
        yield_now().await;
        let found = ids.iter().filter_map(|id| lock(&self.by_id).get(id).cloned()).collect();
        yield_now().await;
        reading.end();
        Ok(found)
    }

    async fn active(&self, ranges: Vec<InboxRange>) -> Result<Vec<ActiveSession>> {
        let reading = self.begin_reading();
        let mut active = Vec::new();
        for range in ranges {
            yield_now().await;
            let sessions = lock(&self.by_id);
            active.extend(sessions.values().filter(|session| range.includes(session)).filter_map(ActiveSession::of));
        }
        yield_now().await;
        reading.end();
        Ok(active)
    }

    async fn ended(&self, _: InboxRange) -> Result<Vec<(SessionId, Seq)>> {
        Ok(Vec::new())
    }
}

/// What a client shows.
type Shown = BTreeMap<(InboxView, SessionId), Seq>;

fn truth(sessions: &Sessions) -> Shown {
    let of = |view| sessions.view(view).into_iter().map(move |session| ((view, session.id), session.progress.last_seq));
    VIEWS.into_iter().flat_map(of).collect()
}

/// How an inbox is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    AsBuilt,
    /// The views are read first, then the inbox is opened.
    SnapshotFirst,
    /// What the snapshot shows is not noted.
    Unnoted,
}

/// Bob's inbox, until it shows the last session and all else that is true.
async fn watch(inboxes: Arc<Inboxes>, sessions: Arc<Sessions>, order: Order) {
    let feed = HubInboxFeed::new(inboxes, Arc::clone(&sessions) as _);
    let read = |shown: &mut Shown, updates: Option<&mut Box<dyn InboxStream>>| {
        let pages = VIEWS.map(|view| (view, sessions.view(view)));
        for (view, page) in &pages {
            shown.extend(page.iter().map(|session| ((*view, session.id), session.progress.last_seq)));
        }
        if let Some(updates) = updates {
            for (view, page) in &pages {
                updates.note_snapshot(*view, page);
            }
        }
    };
    let mut shown = Shown::new();
    if order == Order::SnapshotFirst {
        read(&mut shown, None);
        yield_now().await;
    }
    let mut updates = feed.open(&bob().id, InboxOwner::of(&bob()), VIEWS.to_vec()).await.unwrap();
    yield_now().await;
    if order != Order::SnapshotFirst {
        read(&mut shown, (order == Order::AsBuilt).then_some(&mut updates));
    }
    // The pace of updates is another test's.
    let mut now = Instant::now();
    while !shown.contains_key(&(InboxView::Waiting, session_id(3))) || shown != truth(&sessions) {
        let update = poll_fn(|context| {
            now += Duration::from_secs(1);
            updates.poll_next(context, now)
        });
        let update = update.await.unwrap();
        match update.session {
            Some(session) => shown.insert((update.view, update.session_id), session.progress.last_seq),
            None => shown.remove(&(update.view, update.session_id)),
        };
    }
}

/// What becomes of the last event of each writer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Delivered,
    /// It is lost, events are known to be missing, and time passes.
    Suspected,
    /// It is lost, and nothing says so.
    Unsuspected,
}

/// Two inboxes of Bob open while two writers move two sessions around.
fn opening(order: Order, fate: Fate) {
    let (inboxes, sessions) = (Inboxes::new(), Arc::new(Sessions::default()));
    let timer = Arc::new(ManualTimer::default());
    let over = Arc::new(AtomicBool::new(false));
    sessions.open(1);
    sessions.open(2);
    sessions.give(2, Some(agent_id(&bob())));
    let reader = {
        let (inboxes, sessions, timer) = (Arc::clone(&inboxes), Arc::clone(&sessions), Arc::clone(&timer));
        // Without a gap, no time has to pass for what was noted.
        let rules = InboxRules { gap: Duration::ZERO, ..InboxRules::default() };
        thread::spawn(move || block_on(run_inboxes_with(inboxes, sessions, timer, rules)))
    };
    let time = {
        let (sessions, timer, over) = (Arc::clone(&sessions), Arc::clone(&timer), Arc::clone(&over));
        thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                if fate == Fate::Suspected && sessions.may_time_pass() {
                    timer.jump();
                }
                thread::yield_now();
            }
        })
    };
    let writers = [1, 2].map(|n| {
        let (inboxes, sessions) = (Arc::clone(&inboxes), Arc::clone(&sessions));
        thread::spawn(move || {
            let early = sessions.give(n, Some(agent_id(&carol())));
            let late = sessions.give(n, None);
            for event in [&late, &early, &late] {
                inboxes.note(event);
            }
            let last = sessions.give(n, Some(agent_id(&if n == 1 { bob() } else { carol() })));
            match fate {
                Fate::Delivered => inboxes.note(&last),
                Fate::Suspected => inboxes.mark_suspect(),
                Fate::Unsuspected => {}
            }
        })
    });
    let watchers = [0, 1].map(|_| {
        let (inboxes, sessions) = (Arc::clone(&inboxes), Arc::clone(&sessions));
        thread::spawn(move || block_on(watch(inboxes, sessions, order)))
    });
    join(writers);
    inboxes.note(&sessions.open(3));
    join(watchers);
    assert!(inboxes.is_empty(), "what no inbox needs is not kept");
    inboxes.shutdown();
    over.store(true, Ordering::SeqCst);
    join([reader, time]);
}

#[test]
fn an_inbox_that_opens_among_writers_is_right_in_any_order_of_threads() {
    try_schedules("opening inboxes", || opening(Order::AsBuilt, Fate::Suspected));
}

#[test]
fn an_inbox_is_right_without_sweeps_if_no_event_is_lost() {
    try_schedules("opening inboxes, without loss", || opening(Order::AsBuilt, Fate::Delivered));
}

/// The search ends at the limit of a schedule's steps.
#[test]
fn reading_the_views_before_opening_the_inbox_is_detected() {
    find_the_fault("snapshot first", || opening(Order::SnapshotFirst, Fate::Suspected));
}

#[test]
fn a_snapshot_that_is_not_noted_is_detected() {
    find_the_fault("snapshot not noted", || opening(Order::Unnoted, Fate::Suspected));
}

#[test]
fn a_missing_sweep_is_detected() {
    find_the_fault("no sweep", || opening(Order::AsBuilt, Fate::Unsuspected));
}
