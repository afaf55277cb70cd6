//! Who is shown as available: the rule, what an agent sets, and open inboxes at several nodes.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat_domain::error::{Refusal, Resource};
use chat_domain::inbox::{InboxOwner, InboxView};
use chat_domain::model::{
    Agent, AgentId, AgentStatus, AgentUpdate, Availability, ChatSession, OFFLINE_AFTER, PageLimit, Principal, Role,
    UserId,
};
use chat_domain::ports::{AgentDirectory, InboxFeed, InboxStream, InboxUpdate, PresenceStore, StreamCloseReason};
use chat_domain::service::{AgentList, ChatService, OpenedInbox, Rules};
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::{agent_id, alice, bob, carol, root, start};
use proptest::prelude::*;

use crate::support::{App, bad};

use Availability::{Away, Offline, Online};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_agent_is_shown_as_they_have_set_until_they_are_unseen_for_sixty_seconds() {
    let agent = |status, active| {
        let update = AgentUpdate { display_name: None, active: Some(active) };
        Agent { status, ..Agent::new(agent_id(&bob()), update, start()) }
    };
    let just_before = OFFLINE_AFTER.checked_sub(Duration::from_nanos(1)).unwrap();
    assert_eq!(OFFLINE_AFTER, Duration::from_mins(1));
    for (status, shown) in [(AgentStatus::Online, Online), (AgentStatus::Away, Away)] {
        for (seen_ago, expected) in [
            (Some(Duration::ZERO), shown),
            (Some(just_before), shown),
            (Some(OFFLINE_AFTER), Offline),
            (Some(Duration::MAX), Offline),
            (None, Offline),
        ] {
            assert_eq!(agent(status, true).availability(seen_ago), expected, "{status:?} {seen_ago:?}");
            assert_eq!(agent(status, false).availability(seen_ago), Offline, "a deactivated agent");
        }
    }
    assert_eq!(Agent::new(agent_id(&bob()), AgentUpdate::default(), start()).status, AgentStatus::Online);
}

#[test]
fn the_names_of_availabilities_are_those_of_the_api() {
    assert_eq!([Online, Away, Offline].map(Availability::as_str), ["online", "away", "offline"]);
    for status in AgentStatus::ALL {
        assert_eq!(AgentStatus::parse(status.as_str()), Some(status));
    }
    for name in ["offline", "Online", " away", ""] {
        assert_eq!(AgentStatus::parse(name), None, "{name:?}");
    }
}

#[tokio::test]
async fn an_agent_sets_their_own_availability_and_is_refused_before_bad_input() {
    let app = App::new();
    for who in [alice(), root()] {
        let error = app.service.set_availability(&who, bad()).await.unwrap_err();
        assert!(matches!(error, ChatError::Forbidden(Refusal::NotAllowed(_))), "{error}");
    }
    for status in [Ok(AgentStatus::Away), bad()] {
        let error = app.service.set_availability(&bob(), status).await.unwrap_err();
        assert!(matches!(error, ChatError::NotFound(Resource::Agent)), "who is not in the directory: {error}");
    }
    app.service.admit(&bob()).await.unwrap();
    assert!(matches!(app.service.set_availability(&bob(), bad()).await, Err(ChatError::Invalid(_))));
    let set = app.service.set_availability(&bob(), Ok(AgentStatus::Away)).await.unwrap();
    assert_eq!(set, AgentStatus::Away);
    app.service.deactivate_agent(&root(), Some(agent_id(&bob())), Ok(())).await.unwrap();
    for status in [Ok(AgentStatus::Online), bad()] {
        let error = app.service.set_availability(&bob(), status).await.unwrap_err();
        assert!(matches!(error, ChatError::Forbidden(Refusal::AgentDeactivated)), "{error}");
    }
    assert_eq!(app.store.find(&agent_id(&bob())).await.unwrap().unwrap().status, AgentStatus::Away);
}

/// Opens inboxes in which nothing changes.
struct QuietFeed;

struct QuietStream;

#[async_trait]
impl InboxFeed for QuietFeed {
    async fn open(&self, _: &UserId, _: InboxOwner, _: Vec<InboxView>) -> Result<Box<dyn InboxStream>> {
        Ok(Box::new(QuietStream))
    }
}

impl InboxStream for QuietStream {
    fn note_snapshot(&mut self, _: InboxView, _: &[ChatSession]) {}

    fn poll_next(&mut self, _: &Context<'_>, _: Instant) -> Poll<Result<InboxUpdate, StreamCloseReason>> {
        Poll::Pending
    }

    fn poll_closed(&mut self, _: &Context<'_>) -> Poll<StreamCloseReason> {
        Poll::Pending
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// A store that counts what it is asked to note, and fails while the test says so.
struct TroubledPresence {
    store: Arc<dyn PresenceStore>,
    fails: AtomicBool,
    noted: Mutex<Vec<usize>>,
}

#[async_trait]
impl PresenceStore for TroubledPresence {
    async fn note(&self, seen: BTreeMap<AgentId, Duration>) -> Result<()> {
        self.noted.lock().unwrap().push(seen.len());
        if self.fails.load(Ordering::SeqCst) {
            return Err(ChatError::unavailable("the test says so"));
        }
        self.store.note(seen).await
    }

    async fn last_seen(&self, agents: Vec<AgentId>) -> Result<HashMap<AgentId, Duration>> {
        self.store.last_seen(agents).await
    }
}

/// Several nodes on one store, whose clocks a test moves together.
struct Desk {
    app: App,
    nodes: Vec<ChatService>,
    presence: Arc<TroubledPresence>,
    now: Instant,
}

impl Desk {
    async fn new(nodes: usize) -> Self {
        let app = App::with_rules(Rules::default());
        let presence =
            TroubledPresence { store: app.store.clone(), fails: AtomicBool::new(false), noted: Mutex::default() };
        let presence = Arc::new(presence);
        let node = || {
            app.service_with(|ports| {
                ports.inboxes = Arc::new(QuietFeed);
                ports.presence = presence.clone();
            })
        };
        let nodes = (0..nodes).map(|_| node()).collect();
        for agent in [bob(), carol()] {
            app.service.admit(&agent).await.unwrap();
        }
        // The clock of the tests goes on by what they say alone.
        #[expect(clippy::disallowed_methods, reason = "any moment will do to begin with")]
        let now = Instant::now();
        Self { app, nodes, presence, now }
    }

    async fn open(&self, node: usize, who: &Principal) -> OpenedInbox {
        self.nodes[node].open_inbox(who, vec![InboxView::Closed], PageLimit::SESSIONS).await.unwrap()
    }

    /// Lets a second pass, at the end of which the nodes that live look whether there is something to note.
    async fn tick(&mut self, is_alive: &[bool]) {
        self.now += SECOND;
        self.app.store.age_presence(SECOND);
        for (node, _) in self.nodes.iter().zip(is_alive).filter(|(_, is_alive)| **is_alive) {
            let outcome = node.report_presence(self.now).await;
            assert!(outcome.is_ok() || self.presence.fails.load(Ordering::SeqCst), "{outcome:?}");
        }
    }

    async fn seconds(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.tick(&vec![true; self.nodes.len()]).await;
        }
    }

    /// What this node shows of an agent.
    async fn shown(&self, node: usize, who: &Principal) -> Availability {
        let (AgentList::Managed(agents), _) = self.nodes[node].list_agents(&root()).await.unwrap() else { panic!() };
        agents.iter().find(|listed| listed.agent.id == agent_id(who)).unwrap().availability
    }

    fn statements(&self) -> Vec<usize> {
        std::mem::take(&mut self.presence.noted.lock().unwrap())
    }
}

#[tokio::test]
async fn an_agent_with_inboxes_at_two_nodes_who_closes_one_stays_online() {
    let mut desk = Desk::new(3).await;
    assert_eq!(desk.shown(2, &bob()).await, Offline, "never seen");
    let (one, other) = (desk.open(0, &bob()).await, desk.open(1, &bob()).await);
    desk.seconds(1).await;
    assert_eq!(desk.shown(2, &bob()).await, Online);
    drop(one);
    for _ in 0..200 {
        desk.seconds(1).await;
        for node in 0..3 {
            assert_eq!(desk.shown(node, &bob()).await, Online);
        }
    }
    drop(other);
    // So long before the limit that the time which the test itself takes decides nothing.
    desk.seconds(50).await;
    assert_eq!(desk.shown(2, &bob()).await, Online);
    desk.seconds(12).await;
    for node in 0..3 {
        assert_eq!(desk.shown(node, &bob()).await, Offline);
    }
}

#[tokio::test]
async fn an_agent_who_comes_back_is_shown_as_they_had_set() {
    let mut desk = Desk::new(2).await;
    desk.nodes[1].set_availability(&bob(), Ok(AgentStatus::Away)).await.unwrap();
    assert_eq!(desk.shown(0, &bob()).await, Offline, "what is set shows only who is there");
    for _ in 0..2 {
        let inbox = desk.open(0, &bob()).await;
        assert_eq!(desk.shown(0, &bob()).await, Away, "at once at the node of the inbox");
        desk.seconds(1).await;
        assert_eq!(desk.shown(1, &bob()).await, Away);
        drop(inbox);
        desk.seconds(62).await;
        assert_eq!(desk.shown(0, &bob()).await, Offline);
    }
}

#[tokio::test]
async fn an_agent_of_a_killed_node_turns_offline_without_help() {
    let mut desk = Desk::new(2).await;
    let _open_to_the_end = (desk.open(0, &bob()).await, desk.open(1, &carol()).await);
    desk.seconds(30).await;
    assert_eq!(desk.shown(1, &bob()).await, Online);
    for _ in 0..61 {
        desk.tick(&[false, true]).await;
    }
    assert_eq!((desk.shown(1, &bob()).await, desk.shown(1, &carol()).await), (Offline, Online));
}

#[tokio::test]
async fn only_agents_are_present_and_only_with_an_inbox() {
    let mut desk = Desk::new(1).await;
    // A person who is an agent by another token, too.
    let customer = Principal { role: Role::User, ..bob() };
    let _inboxes = (desk.open(0, &customer).await, desk.open(0, &root()).await);
    desk.seconds(3).await;
    assert_eq!(desk.shown(0, &bob()).await, Offline);
    assert_eq!(desk.statements(), [0; 0], "there is nothing to note");
}

#[tokio::test]
async fn one_statement_every_twenty_seconds_notes_all_agents_of_a_node_and_a_read_none() {
    let mut desk = Desk::new(1).await;
    let inboxes = (desk.open(0, &bob()).await, desk.open(0, &carol()).await, desk.open(0, &bob()).await);
    desk.seconds(1).await;
    assert_eq!(desk.statements(), [2]);
    desk.seconds(19).await;
    desk.shown(0, &bob()).await;
    assert_eq!(desk.statements(), [0; 0]);
    desk.seconds(1).await;
    assert_eq!(desk.statements(), [2]);
    // The first of two inboxes of an agent changes nothing.
    drop(inboxes.0);
    desk.seconds(1).await;
    assert_eq!(desk.statements(), [0; 0]);
    drop((inboxes.1, inboxes.2));
    desk.seconds(1).await;
    assert_eq!(desk.statements(), [2], "when they left");
    desk.seconds(100).await;
    assert_eq!(desk.statements(), [0; 0]);
}

#[tokio::test]
async fn presence_that_could_not_be_written_is_written_later_with_its_time() {
    let mut desk = Desk::new(2).await;
    desk.presence.fails.store(true, Ordering::SeqCst);
    let (bobs, _carols) = (desk.open(0, &bob()).await, desk.open(0, &carol()).await);
    desk.seconds(5).await;
    assert_eq!((desk.shown(0, &bob()).await, desk.shown(1, &bob()).await), (Online, Offline));
    drop(bobs);
    desk.seconds(30).await;
    desk.presence.fails.store(false, Ordering::SeqCst);
    desk.seconds(1).await;
    assert_eq!((desk.shown(1, &bob()).await, desk.shown(1, &carol()).await), (Online, Online));
    desk.seconds(31).await;
    assert_eq!((desk.shown(1, &bob()).await, desk.shown(1, &carol()).await), (Offline, Online), "60 s after he left");
}

#[tokio::test]
async fn who_left_during_a_long_outage_is_forgotten_and_who_is_there_is_not() {
    let mut desk = Desk::new(2).await;
    let (bobs, _carols) = (desk.open(0, &bob()).await, desk.open(0, &carol()).await);
    desk.seconds(1).await;
    desk.presence.fails.store(true, Ordering::SeqCst);
    drop(bobs);
    desk.seconds(100).await;
    desk.statements();
    desk.presence.fails.store(false, Ordering::SeqCst);
    desk.seconds(1).await;
    assert_eq!(desk.statements(), [1]);
    assert_eq!((desk.shown(1, &bob()).await, desk.shown(1, &carol()).await), (Offline, Online));
}

/// What happens to the inboxes of an agent at three nodes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open(usize),
    Close(usize),
    /// The store fails, or no longer.
    Fail(bool),
    Seconds(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..3_usize).prop_map(Step::Open),
        3 => (0..3_usize).prop_map(Step::Close),
        1 => any::<bool>().prop_map(Step::Fail),
        4 => (1..90_u32).prop_map(Step::Seconds),
    ];
    prop::collection::vec(step, 1..40)
}

/// Plays the steps and checks, each second, what the nodes show.
async fn play(steps: Vec<Step>) {
    let mut desk = Desk::new(3).await;
    let mut open: Vec<Vec<OpenedInbox>> = vec![Vec::new(), Vec::new(), Vec::new()];
    // For how many seconds an inbox was open at some node, none was, and the store has worked or failed.
    let (mut present, mut absent, mut works, mut fails) = (0, 1_000, 1_000, 0);
    for step in steps {
        match step {
            Step::Open(node) => {
                open[node].push(desk.open(node, &bob()).await);
                absent = 0;
            }
            Step::Close(node) => drop(open[node].pop()),
            Step::Fail(now) => desk.presence.fails.store(now, Ordering::SeqCst),
            Step::Seconds(seconds) => {
                for _ in 0..seconds {
                    let is_open = open.iter().any(|inboxes| !inboxes.is_empty());
                    let is_failing = desk.presence.fails.load(Ordering::SeqCst);
                    desk.seconds(1).await;
                    (present, absent) = if is_open { (present + 1, 0) } else { (0, absent + 1) };
                    (works, fails) = if is_failing { (0, fails + 1) } else { (works + 1, 0) };
                    for (node, inboxes) in open.iter().enumerate() {
                        let shown = desk.shown(node, &bob()).await;
                        // Noted 20 s before the store failed at the worst, which leaves 40, and the time of the test itself.
                        if !inboxes.is_empty() || (present >= 1 && (works >= 1 || (present > fails && fails < 30))) {
                            assert_eq!(shown, Online, "node {node}, {present} s present, {fails} s of failures");
                        }
                        if absent >= 62 {
                            assert_eq!(shown, Offline, "node {node}, {absent} s absent");
                        }
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nodes_never_show_a_connected_agent_as_offline(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(play(steps));
    }
}
