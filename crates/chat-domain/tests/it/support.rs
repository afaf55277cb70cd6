//! The use cases on top of stores in memory, and a feed that plays what a test puts in.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::error::{Conflict, Input, Invalid};
use chat_domain::model::{AgentId, Epoch, LiveEvent, Principal, Published, Seq, SessionId};
use chat_domain::ports::{
    End, EventStream, Follow, Following, Heard, Opening, Otherwise, Replay, SessionFeed, SessionRepository,
};
use chat_domain::service::{ChatService, Ports, Rules, WatchFrom, WatchRequest};
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::{assign, bob, change, new_session_of, root};
use chat_testkit::{
    FewTickets, FixedClock, MemoryAttachmentStore, MemoryConnections, MemoryStore, RecordingNotifier, Replacements,
    SequentialIds, fixtures,
};

/// Everything a use case stands on.
pub(crate) struct App {
    pub(crate) service: ChatService,
    pub(crate) ports: Ports,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) attachments: Arc<MemoryAttachmentStore>,
    pub(crate) notifier: Arc<RecordingNotifier>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) feed: Arc<PlayedFeed>,
    pub(crate) door: Arc<MemoryConnections>,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with_rules(Rules::default())
    }

    pub(crate) fn with_rules(rules: Rules) -> Self {
        let clock = Arc::new(FixedClock::ticking(Duration::from_secs(1)));
        let notifier = Arc::new(RecordingNotifier::new());
        let store = MemoryStore::new(notifier.clone());
        let attachments = MemoryAttachmentStore::new(clock.clone());
        let feed = Arc::new(PlayedFeed::default());
        let door = Arc::new(MemoryConnections::new(Arc::new(Replacements::new())));
        let ports = Ports {
            sessions: store.clone(),
            messages: store.clone(),
            events: store.clone(),
            stats: store.clone(),
            agents: store.clone(),
            attachments: attachments.clone(),
            notifier: notifier.clone(),
            feed: feed.clone(),
            connections: door.clone(),
            tickets: Arc::new(FewTickets::new()),
            clock: clock.clone(),
            ids: Arc::new(SequentialIds::new()),
        };
        let service = ChatService::new(ports.clone(), rules);
        Self { service, ports, store, attachments, notifier, clock, feed, door }
    }

    /// The same application with some of its ports replaced.
    pub(crate) fn service_with(&self, replace: impl FnOnce(&mut Ports)) -> ChatService {
        let mut ports = self.ports.clone();
        replace(&mut ports);
        ChatService::new(ports, *self.service.rules())
    }

    /// Session `n` of `owner`, waiting.
    pub(crate) async fn waiting(&self, owner: &Principal, n: u64) -> SessionId {
        self.store.open(new_session_of(owner, n), owner.clone(), None).await.unwrap().session.id
    }

    /// Session `n` of Alice, held by Bob.
    pub(crate) async fn held_by_bob(&self, n: u64) -> SessionId {
        let id = self.waiting(&fixtures::alice(), n).await;
        self.service.admit(&bob()).await.unwrap();
        self.store.change(id, change(&root(), assign(&bob()), 60)).await.unwrap();
        id
    }

    /// Hands a session over, for agents who have been admitted.
    pub(crate) async fn transfer(&self, id: SessionId, to: Option<&Principal>) {
        if let Some(to) = to {
            self.service.admit(to).await.unwrap();
        }
        let to: Option<AgentId> = to.map(fixtures::agent_id);
        self.service.transfer_session(&root(), id, Ok(to)).await.unwrap();
    }
}

/// A request to watch from there, or not at all.
pub(crate) fn from(start: WatchFrom) -> WatchRequest {
    WatchRequest { from: Ok(start), otherwise: Otherwise::Refuse }
}

/// Input that broke a rule.
pub(crate) fn bad<T>() -> Input<T> {
    Err(Invalid::new("field", "is wrong"))
}

/// What a use case answered, as the status codes tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    NotFound,
    Forbidden,
    Invalid,
    Conflict,
    Limit,
    Failed,
}

impl Outcome {
    pub(crate) fn of<T>(answer: Result<T>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(ChatError::NotFound(_)) => Self::NotFound,
            Err(ChatError::Forbidden(_)) => Self::Forbidden,
            Err(ChatError::Invalid(_)) => Self::Invalid,
            Err(ChatError::Conflict(_)) => Self::Conflict,
            Err(ChatError::LimitReached(_)) => Self::Limit,
            Err(
                ChatError::ReplayUnavailable(_)
                | ChatError::Unavailable { .. }
                | ChatError::StorageFull
                | ChatError::Internal(_),
            ) => Self::Failed,
        }
    }
}

/// The fields that an answer blames.
pub(crate) fn blamed<T>(answer: Result<T>) -> Vec<String> {
    match answer {
        Err(ChatError::Invalid(invalid)) => invalid.fields.into_iter().map(|error| error.field).collect(),
        Err(error) => panic!("invalid input, not {error}"),
        Ok(_) => panic!("invalid input, not an answer"),
    }
}

pub(crate) fn is_reused_key<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(ChatError::Conflict(Conflict::IdempotencyKeyReused(_))))
}

/// A feed that gives out the events a test has put in, to whoever follows next, and then ends.
#[derive(Default)]
pub(crate) struct PlayedFeed {
    events: Mutex<VecDeque<LiveEvent>>,
    follows: Mutex<Vec<Follow>>,
    /// Why the streams end that are made from now on; because the node stops, unless it is said.
    end: Mutex<Option<End>>,
    /// Runs when somebody follows, after their right was checked.
    meanwhile: Mutex<Option<(Arc<MemoryStore>, SessionId, chat_domain::model::SessionChange)>>,
}

impl PlayedFeed {
    pub(crate) fn play(&self, events: impl IntoIterator<Item = LiveEvent>) {
        self.events.lock().unwrap().extend(events);
    }

    /// Makes later streams end for this reason.
    pub(crate) fn end_with(&self, end: End) {
        *self.end.lock().unwrap() = Some(end);
    }

    /// Who has followed what so far.
    pub(crate) fn follows(&self) -> Vec<Follow> {
        self.follows.lock().unwrap().clone()
    }

    /// Makes a change happen between the moment somebody follows and the moment they see anything.
    pub(crate) fn change_meanwhile(
        &self,
        store: &Arc<MemoryStore>,
        id: SessionId,
        change: chat_domain::model::SessionChange,
    ) {
        *self.meanwhile.lock().unwrap() = Some((store.clone(), id, change));
    }
}

#[async_trait]
impl SessionFeed for PlayedFeed {
    async fn follow(&self, follow: Follow) -> Result<Following> {
        self.follows.lock().unwrap().push(follow);
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some((store, id, change)) = meanwhile {
            store.change(id, change).await?;
        }
        let events = std::mem::take(&mut *self.events.lock().unwrap());
        let end = self.end.lock().unwrap().unwrap_or(End::Stopping);
        Ok(Following { opening: opening(), stream: Box::new(Played { events, end }) })
    }
}

/// How every watch of the played feed begins.
pub(crate) fn opening() -> Opening {
    Opening { epoch: Epoch::parse("played").unwrap(), head: Seq::new(7), replay: Replay::Complete { missed: 3 } }
}

struct Played {
    events: VecDeque<LiveEvent>,
    end: End,
}

impl EventStream for Played {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Result<Heard>> {
        let next = self.events.pop_front().map(Published::new);
        Poll::Ready(Ok(next.map_or(Heard::Ended(self.end), Heard::Event)))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<End> {
        if self.events.is_empty() { Poll::Ready(self.end) } else { Poll::Pending }
    }
}
