//! Open inboxes beside a store: whatever becomes of the events, what an inbox shows ends as what the store shows.

mod snapshots;

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::error::Result;
use chat_domain::inbox::{ActiveSession, InboxCounts, InboxFilter, InboxOwner, InboxQuery, InboxRange, InboxView};
use chat_domain::model::{ChatSession, DetailsUpdate, LiveEvent, Principal, Priority, Seq, SessionAction, SessionId};
use chat_domain::ports::{
    AgentDirectory, InboxFeed, InboxReader, InboxStream, InboxUpdate, MessageRepository, Notifier, SessionRepository,
    StreamCloseReason,
};
use chat_realtime::{Hub, HubInboxFeed, HubSettings, MAX_INBOXES_OF_A_PERSON, run_inboxes};
use chat_testkit::fixtures::{
    agent_id, alice, assign, at, bob, carol, change, draft, limit, mallory, new_session_of, root, session_id, update,
};
use chat_testkit::{FixedClock, MemoryStore};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Longer than any update waits: sweeps, pauses and readings.
const QUIET: Duration = Duration::from_secs(7);

/// What becomes of an event on its way from the store to the hub.
#[derive(Clone, Copy, Debug)]
enum EventFate {
    Arrives,
    Twice,
    Lost,
    /// After the next event that is not late.
    Late,
}

/// A notifier that treats events as a script says, and then well.
#[derive(Default)]
struct Lossy {
    hub: OnceLock<Arc<Hub>>,
    fates: Mutex<VecDeque<EventFate>>,
    late: Mutex<Vec<LiveEvent>>,
}

impl Notifier for Lossy {
    fn publish(&self, event: LiveEvent) {
        let hub = self.hub.get().unwrap();
        match self.fates.lock().unwrap().pop_front().unwrap_or(EventFate::Arrives) {
            EventFate::Lost => return,
            EventFate::Late => return self.late.lock().unwrap().push(event),
            EventFate::Arrives => hub.publish(event),
            EventFate::Twice => {
                hub.publish(event.clone());
                hub.publish(event);
            }
        }
        self.deliver_late();
    }
}

impl EventFate {
    fn not_lost(self) -> Self {
        if matches!(self, Self::Lost) { Self::Twice } else { self }
    }
}

impl Lossy {
    fn deliver_late(&self) {
        let (hub, late) = (self.hub.get().unwrap(), std::mem::take(&mut *self.late.lock().unwrap()));
        for late in late {
            hub.publish(late);
        }
    }
}

/// Sessions that are read slowly: what is read is some time old when it arrives.
struct SlowReader(Arc<MemoryStore>);

const READING: Duration = Duration::from_millis(10);

#[async_trait]
impl InboxReader for SlowReader {
    async fn find_many(&self, ids: Vec<SessionId>) -> Result<Vec<ChatSession>> {
        let found = self.0.find_many(ids).await;
        sleep(READING).await;
        found
    }

    async fn active(&self, ranges: Vec<InboxRange>) -> Result<Vec<ActiveSession>> {
        let mut active = Vec::new();
        for range in ranges {
            active.extend(self.0.active(vec![range]).await?);
            sleep(READING).await;
        }
        Ok(active)
    }

    async fn ended(&self, range: InboxRange) -> Result<Vec<(SessionId, Seq)>> {
        let ended = self.0.ended(range).await;
        sleep(READING).await;
        ended
    }
}

#[derive(Clone)]
struct World {
    store: Arc<MemoryStore>,
    hub: Arc<Hub>,
    feed: Arc<HubInboxFeed>,
    notifier: Arc<Lossy>,
}

impl World {
    fn new() -> Self {
        let hub = Hub::new(HubSettings::default(), Arc::new(FixedClock::new()));
        let notifier = Arc::new(Lossy::default());
        assert!(notifier.hub.set(Arc::clone(&hub)).is_ok());
        let store = MemoryStore::new(Arc::clone(&notifier) as _);
        let reader: Arc<dyn InboxReader> = Arc::new(SlowReader(Arc::clone(&store)));
        let feed = HubInboxFeed::new(Arc::clone(hub.inboxes()), Arc::clone(&reader));
        tokio::spawn(run_inboxes(Arc::clone(&hub), reader));
        Self { store, hub, feed, notifier }
    }

    /// Opens all views of a person.
    async fn open(&self, who: &Principal) -> Desk {
        self.open_views(who, |view| view.is_for(who.role)).await
    }

    async fn open_views(&self, who: &Principal, of_interest: impl Fn(InboxView) -> bool) -> Desk {
        let owner = InboxOwner::of(who);
        let views: Vec<_> = InboxView::ALL.into_iter().filter(|view| of_interest(*view)).collect();
        let updates = self.feed.open(&who.id, owner.clone(), views.clone()).await.unwrap();
        let (shown, left, counts) = (Shown::new(), BTreeMap::new(), InboxCounts::default());
        let mut desk = Desk { owner, views, shown, left, counts, updates };
        desk.show_snapshots(self).await;
        desk
    }

    /// What the views of an inbox hold, and its counts.
    async fn truth(&self, owner: &InboxOwner, views: &[InboxView]) -> (Shown, InboxCounts) {
        let (mut shown, mut counts) = (Shown::new(), InboxCounts::default());
        for view in views {
            let (owner, filter) = (owner.clone(), InboxFilter::default());
            let query = InboxQuery { owner, view: *view, filter, after: None, limit: limit(100) };
            let page = self.store.inbox(&query).await.unwrap();
            assert_eq!(page.next, None, "a test has few sessions");
            counts = page.counts;
            shown.extend(page.sessions.into_iter().map(|session| ((*view, session.id), session)));
        }
        (shown, counts)
    }

    fn lose_next_event(&self) {
        self.notifier.fates.lock().unwrap().push_back(EventFate::Lost);
    }

    async fn act(&self, step: &Step) {
        let store = &self.store;
        let change = async |n: u8, by: &Principal, action| {
            let _as_the_rules_say = store.change(session_id(u64::from(n)), change(by, action, 50)).await;
        };
        match *step {
            Step::Open(n, of_alice, priority) => {
                let owner = if of_alice { alice() } else { mallory() };
                let mut new = new_session_of(&owner, u64::from(n));
                new.priority = priority;
                if store.find_session(new.id).await.is_none() {
                    store.open(new, owner, None).await.unwrap();
                }
            }
            Step::Claim(n, by_bob) => {
                let agent = if by_bob { bob() } else { carol() };
                change(n, &agent, assign(&agent)).await;
            }
            Step::Move(n, to) => {
                let to = to.map(|to_bob| agent_id(&if to_bob { bob() } else { carol() }));
                change(n, &root(), SessionAction::Transfer(to)).await;
            }
            Step::Urgent(n, priority) => {
                let details = DetailsUpdate { priority: Some(priority), ..DetailsUpdate::default() };
                change(n, &root(), update(details)).await;
            }
            Step::Close(n) => change(n, &root(), SessionAction::Close).await,
            Step::Say(n, by_support, message) => {
                let Some(session) = store.find_session(session_id(u64::from(n))).await else { return };
                let author = if by_support { root() } else { Principal::new(session.owner, alice().role) };
                let _as_the_rules_say = store.append(draft(session.id, &author, u64::from(message))).await;
            }
            Step::Read(n, by_support) => {
                let Some(session) = store.find_session(session_id(u64::from(n))).await else { return };
                // What is read after the end of a session is looked for by no sweep.
                if session.is_active() {
                    let reader = if by_support { root() } else { Principal::new(session.owner, alice().role) };
                    store.mark_read_up_to(session.id, reader, Seq::new(1_000), at(60)).await.unwrap();
                }
            }
            // A part of a reading, of the wait for the next one, or of the opening of an inbox.
            Step::Pause => sleep(Duration::from_millis(7)).await,
        }
    }
}

trait FindSession {
    async fn find_session(&self, id: SessionId) -> Option<ChatSession>;
}

impl FindSession for Arc<MemoryStore> {
    async fn find_session(&self, id: SessionId) -> Option<ChatSession> {
        SessionRepository::find(self.as_ref(), id).await.unwrap()
    }
}

type Shown = BTreeMap<(InboxView, SessionId), ChatSession>;

/// An open inbox, and what a client shows of it.
struct Desk {
    owner: InboxOwner,
    views: Vec<InboxView>,
    shown: Shown,
    /// Where sessions were that have left a view.
    left: BTreeMap<(InboxView, SessionId), Seq>,
    counts: InboxCounts,
    updates: Box<dyn InboxStream>,
}

impl Desk {
    /// Shows snapshots of its views.
    async fn show_snapshots(&mut self, world: &World) {
        (self.shown, self.counts) = world.truth(&self.owner, &self.views).await;
        for view in &self.views {
            let of_view = self.shown.iter().filter(|((other, _), _)| other == view);
            let sessions: Vec<_> = of_view.map(|(_, session)| session.clone()).collect();
            self.updates.note_snapshot(*view, &sessions);
        }
    }

    async fn next(&mut self) -> std::result::Result<InboxUpdate, StreamCloseReason> {
        let mut paced = pin!(None);
        poll_fn(|context| {
            loop {
                let now = Instant::now();
                if let Poll::Ready(update) = self.updates.poll_next(context, now.into_std()) {
                    return Poll::Ready(update);
                }
                let Some(deadline) = self.updates.deadline() else { return Poll::Pending };
                paced.set(Some(sleep_until(deadline.into())));
                let Some(sleep) = paced.as_mut().as_pin_mut() else { return Poll::Pending };
                if sleep.poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    fn take(&mut self, update: InboxUpdate) {
        let InboxUpdate { view, session_id, session, counts } = update;
        self.counts = counts;
        let Some(session) = session else {
            let gone = self.shown.remove(&(view, session_id));
            self.left.extend(gone.map(|gone| ((view, session_id), gone.progress.last_seq)));
            return;
        };
        let seq = session.progress.last_seq;
        let newest =
            self.shown.iter().filter(|((_, id), _)| *id == session_id).map(|(_, shown)| shown.progress.last_seq);
        assert!(newest.max() <= Some(seq), "{view:?} goes back to {seq:?}");
        if self.shown.insert((view, session_id), session.as_ref().clone()).is_none() {
            let left = self.left.get(&(view, session_id));
            assert!(left < Some(&seq), "a session left {view:?} at {left:?} and is back at {seq:?}");
        }
    }

    /// Takes updates until none has come for a while.
    async fn settle(&mut self) {
        while let Ok(update) = timeout(QUIET, self.next()).await {
            self.take(update.unwrap());
        }
    }

    /// What it shows is what the views hold, and its counts are theirs.
    async fn assert_true(&self, world: &World) {
        let (shown, counts) = world.truth(&self.owner, &self.views).await;
        assert_eq!(self.shown, shown, "{:?}", self.owner);
        assert_eq!(self.counts, counts, "{:?}", self.owner);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Open(u8, bool, Priority),
    Claim(u8, bool),
    Move(u8, Option<bool>),
    Say(u8, bool, u16),
    Read(u8, bool),
    Urgent(u8, Priority),
    Close(u8),
    Pause,
}

fn step() -> impl Strategy<Value = Step> {
    let session = || 1..5_u8;
    let priority = || prop_oneof![Just(Priority::Low), Just(Priority::Medium), Just(Priority::High)];
    prop_oneof![
        4 => (session(), any::<bool>(), priority()).prop_map(|(n, of_alice, priority)| Step::Open(n, of_alice, priority)),
        3 => (session(), any::<bool>()).prop_map(|(n, by_bob)| Step::Claim(n, by_bob)),
        3 => (session(), any::<Option<bool>>()).prop_map(|(n, to)| Step::Move(n, to)),
        6 => (session(), any::<bool>(), any::<u16>()).prop_map(|(n, by_support, id)| Step::Say(n, by_support, id)),
        2 => (session(), any::<bool>()).prop_map(|(n, by_support)| Step::Read(n, by_support)),
        1 => (session(), priority()).prop_map(|(n, priority)| Step::Urgent(n, priority)),
        1 => session().prop_map(Step::Close),
        8 => Just(Step::Pause),
    ]
}

fn fate() -> impl Strategy<Value = EventFate> {
    prop_oneof![3 => Just(EventFate::Arrives), 1 => Just(EventFate::Twice), 2 => Just(EventFate::Lost), 1 => Just(EventFate::Late)]
}

fn people() -> [Principal; 5] {
    [alice(), mallory(), bob(), carol(), root()]
}

async fn with_agents(world: &World) {
    for agent in [bob(), carol()] {
        world.store.register(agent_id(&agent), None, at(0)).await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Every person, every view, one or all of them; inboxes that open before, among and after the changes.
    #[test]
    fn snapshots_and_updates_are_what_the_views_hold_whatever_becomes_of_events(
        steps in vec(step(), 1..80),
        fates in vec(fate(), 0..40),
        opened in vec((0..5_usize, 0..80_usize, any::<Option<u8>>()), 1..5),
        closed_at in 0..80_usize,
        loses in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let world = World::new();
            with_agents(&world).await;
            let mut gone = Some(world.open(&bob()).await);
            let mut opening = Vec::new();
            let fates = fates.into_iter().map(|way| if loses { way } else { way.not_lost() });
            world.notifier.fates.lock().unwrap().extend(fates);
            for (at, step) in steps.iter().enumerate() {
                for (person, _, only) in opened.iter().filter(|(_, opened_at, _)| *opened_at == at) {
                    let (world, person, only) = (world.clone(), people()[*person].clone(), *only);
                    opening.push(tokio::spawn(async move {
                        let views = InboxView::ALL.into_iter().filter(|view| view.is_for(person.role));
                        let only = only.and_then(|only| views.cycle().nth(usize::from(only)));
                        let of_interest = |view: InboxView| view.is_for(person.role) && only.is_none_or(|only| only == view);
                        world.open_views(&person, of_interest).await
                    }));
                }
                if at == closed_at {
                    gone = None;
                }
                world.act(step).await;
            }
            let mut desks = Vec::new();
            for opening in opening {
                desks.push(opening.await.unwrap());
            }
            for person in people() {
                desks.push(world.open(&person).await);
            }
            world.notifier.deliver_late();
            if loses {
                // As the adapter says when a counter jumps. Without a loss, nothing needs a sweep.
                world.hub.inboxes().mark_suspect();
            }
            for desk in &mut desks {
                desk.settle().await;
                desk.assert_true(&world).await;
            }
            drop((gone, desks));
            assert!(world.hub.inboxes().is_empty(), "what no inbox needs is not kept");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_there_at_once_and_lost_ones_after_the_next_sweep() {
    let world = World::new();
    with_agents(&world).await;
    let mut desk = world.open(&bob()).await;
    let started = Instant::now();
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    let update = desk.next().await.unwrap();
    assert_eq!((update.view, update.session_id), (InboxView::Waiting, session_id(1)));
    assert!(started.elapsed() <= Duration::from_millis(60), "{:?}", started.elapsed());
    assert_eq!(update.counts, InboxCounts { waiting: 1, longest_waiting_since: Some(at(1)), ..InboxCounts::default() });
    // It goes from one view to the other, and each of them says so.
    world.act(&Step::Claim(1, true)).await;
    let moved = [desk.next().await.unwrap(), desk.next().await.unwrap()];
    let is_there = moved.map(|update| (update.view, update.session.is_some()));
    assert!(is_there.contains(&(InboxView::Mine, true)) && is_there.contains(&(InboxView::Waiting, false)));
    world.lose_next_event();
    world.act(&Step::Open(2, true, Priority::Medium)).await;
    assert!(timeout(Duration::from_secs(30), desk.next()).await.is_err());
    assert_eq!(desk.next().await.unwrap().session_id, session_id(2));
    assert!(started.elapsed() <= Duration::from_secs(62), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn while_other_nodes_are_unreachable_views_are_read_every_five_seconds() {
    use chat_realtime::PeerSink;
    let world = World::new();
    with_agents(&world).await;
    let mut desk = world.open(&carol()).await;
    world.hub.set_peers_reachable(false);
    for n in 1..4 {
        world.lose_next_event();
        let started = Instant::now();
        world.act(&Step::Open(n, true, Priority::Medium)).await;
        assert_eq!(desk.next().await.unwrap().session_id, session_id(u64::from(n)));
        assert!(started.elapsed() <= Duration::from_millis(5_200), "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn changes_while_a_session_is_read_are_read_too() {
    let world = World::new();
    with_agents(&world).await;
    let mut desk = world.open(&bob()).await;
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    // The reading has begun, and finds it waiting.
    sleep(READING / 2).await;
    world.act(&Step::Claim(1, false)).await;
    desk.settle().await;
    desk.assert_true(&world).await;
}

#[tokio::test(start_paused = true)]
async fn changes_while_an_inbox_opens_are_in_its_counts() {
    let world = World::new();
    with_agents(&world).await;
    // Of the queues that are read, this one is the first.
    world.act(&Step::Open(1, true, Priority::ALL[0])).await;
    let opening = {
        let world = world.clone();
        tokio::spawn(async move { world.open(&bob()).await })
    };
    // The reading has begun, and finds it waiting. No other inbox is open that would know it with Carol.
    sleep(READING / 2).await;
    world.act(&Step::Claim(1, false)).await;
    let mut desk = opening.await.unwrap();
    // Counts come with an update.
    world.act(&Step::Open(2, true, Priority::Medium)).await;
    desk.settle().await;
    desk.assert_true(&world).await;
}

#[tokio::test(start_paused = true)]
async fn counts_are_right_where_another_view_is_open() {
    let world = World::new();
    with_agents(&world).await;
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    let mut desk = world.open_views(&bob(), |view| view == InboxView::Mine).await;
    for step in [Step::Claim(1, false), Step::Open(2, true, Priority::Medium), Step::Close(2)] {
        world.act(&step).await;
        desk.settle().await;
        desk.assert_true(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_read_for_another_inbox_reach_those_that_missed_them() {
    let world = World::new();
    with_agents(&world).await;
    let mut of_carol = world.open(&carol()).await;
    world.lose_next_event();
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    // Alice's sessions are read for her inbox, and one of them waits.
    let _of_alice = world.open(&alice()).await;
    of_carol.settle().await;
    of_carol.assert_true(&world).await;
}

#[tokio::test(start_paused = true)]
async fn sessions_read_for_another_inbox_correct_those_that_know_them_as_they_were() {
    let world = World::new();
    with_agents(&world).await;
    let mut of_bob = world.open(&bob()).await;
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    world.act(&Step::Claim(1, true)).await;
    of_bob.settle().await;
    world.lose_next_event();
    world.act(&Step::Move(1, Some(false))).await;
    // Carol's sessions are read for the counts of her inbox, and one of them was Bob's.
    let _of_carol = world.open_views(&carol(), |view| view == InboxView::Waiting).await;
    of_bob.settle().await;
    of_bob.assert_true(&world).await;
}

#[tokio::test(start_paused = true)]
async fn sessions_read_for_a_closed_inbox_are_not_kept_for_the_next_one() {
    let world = World::new();
    with_agents(&world).await;
    let closed = world.open(&bob()).await;
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    // The reading has begun, and finds it waiting.
    sleep(READING / 2).await;
    drop(closed);
    world.act(&Step::Close(1)).await;
    let mut desk = world.open(&bob()).await;
    // Counts come with an update.
    world.act(&Step::Open(2, true, Priority::Medium)).await;
    desk.settle().await;
    desk.assert_true(&world).await;
}

#[tokio::test(start_paused = true)]
async fn an_inbox_that_opens_while_other_nodes_are_unreachable_is_kept_true() {
    use chat_realtime::PeerSink;
    let world = World::new();
    with_agents(&world).await;
    world.hub.set_peers_reachable(false);
    sleep(Duration::from_mins(10)).await;
    let mut desk = world.open(&bob()).await;
    world.lose_next_event();
    let started = Instant::now();
    world.act(&Step::Open(1, true, Priority::Medium)).await;
    assert_eq!(desk.next().await.unwrap().session_id, session_id(1));
    assert!(started.elapsed() <= Duration::from_millis(5_200), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_eleventh_inbox_of_a_person_closes_the_oldest_and_all_end_with_the_node() {
    let world = World::new();
    with_agents(&world).await;
    let mut oldest = world.open(&bob()).await;
    let mut others = Vec::new();
    for _ in 0..MAX_INBOXES_OF_A_PERSON - 1 {
        others.push(world.open(&bob()).await);
    }
    let mut of_carol = world.open(&carol()).await;
    assert!(timeout(QUIET, oldest.next()).await.is_err());
    others.push(world.open(&bob()).await);
    assert_eq!(oldest.next().await, Err(StreamCloseReason::Replaced));
    // An inbox that has closed keeps its place until it is dropped, and is not closed twice.
    world.hub.shutdown();
    for desk in others.iter_mut().chain([&mut of_carol]) {
        assert_eq!(desk.next().await, Err(StreamCloseReason::NodeStopping));
    }
    assert_eq!(oldest.next().await, Err(StreamCloseReason::Replaced));
    let mut late = world.open(&carol()).await;
    assert_eq!(late.next().await, Err(StreamCloseReason::NodeStopping));
}
