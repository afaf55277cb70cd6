//! The use cases on top of stores in memory, and a feed that plays what a test puts in.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use async_trait::async_trait;
use chat_domain::error::{Conflict, Input, Invalid};
use chat_domain::model::{AgentId, Epoch, IdempotencyKey, LiveEvent, Principal, Seq, SessionId};
use chat_domain::ports::{
    EventStream, Replay, ReplayFallback, SessionFeed, SessionRepository, SharedEvent, StreamCloseReason, StreamItem,
    SubscribeOutcome, SubscribeRequest, Subscription,
};
use chat_domain::service::{ChatService, Ports, Rules, SendMessage, SubscribeFrom, SubscribeOptions};
use chat_domain::write::Appended;
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::{assign, bob, change, new_session_of, root};
use chat_testkit::{
    FixedClock, MemoryAttachmentStore, MemoryChat, MemorySockets, MemoryStore, RecordingNotifier, fixtures, form,
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
    pub(crate) door: Arc<MemorySockets>,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with_rules(Rules::default())
    }

    pub(crate) fn with_rules(rules: Rules) -> Self {
        let MemoryChat { ports, store, attachments, sockets: door, notifier, clock, .. } = MemoryChat::new();
        let feed = Arc::new(PlayedFeed::default());
        let ports = Ports { feed: feed.clone(), ..ports };
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

    /// A message of Alice with one file for each pair of position and bytes.
    pub(crate) async fn send_files(&self, id: SessionId, text: &str, files: &[(u32, &str)]) -> Appended {
        self.try_to_send_files(id, text, files, None).await.unwrap()
    }

    /// The same, with a key, and perhaps refused.
    pub(crate) async fn try_to_send_files(
        &self,
        id: SessionId,
        text: &str,
        files: &[(u32, &str)],
        key: Option<Input<IdempotencyKey>>,
    ) -> Result<Appended> {
        let files = files.iter().map(|(position, bytes)| form::file(*position, bytes));
        let form = form::form(std::iter::once(form::content(text)).chain(files));
        self.service.send_message(&fixtures::alice(), id, SendMessage::Form(form), key).await
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
pub(crate) fn from(start: SubscribeFrom) -> SubscribeOptions {
    SubscribeOptions { from: Ok(start), fallback: ReplayFallback::Refuse }
}

/// Input that broke a rule.
pub(crate) fn bad<T>() -> Input<T> {
    Err(Invalid::new("field", "is wrong"))
}

/// What a use case answered, as the status codes tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    SignedOut,
    NotFound,
    Forbidden,
    Invalid,
    Conflict,
    OtherVersion,
    Limit,
    Failed,
}

impl Outcome {
    pub(crate) fn of<T>(answer: Result<T>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(ChatError::SignedOut) => Self::SignedOut,
            Err(ChatError::NotFound(_)) => Self::NotFound,
            Err(ChatError::Forbidden(_)) => Self::Forbidden,
            Err(ChatError::Invalid(_)) => Self::Invalid,
            Err(ChatError::Conflict(_)) => Self::Conflict,
            Err(ChatError::VersionMismatch { .. }) => Self::OtherVersion,
            Err(ChatError::LimitReached(_)) => Self::Limit,
            Err(
                ChatError::ReplayUnavailable(_)
                | ChatError::Unavailable { .. }
                | ChatError::StorageFull
                | ChatError::DamagedFile
                | ChatError::Internal(_),
            ) => Self::Failed,
        }
    }
}

/// The fields that an answer blames.
pub(crate) fn blamed<T>(answer: Result<T>) -> Vec<String> {
    match answer {
        Err(ChatError::Invalid(invalid)) => invalid.fields.into_iter().map(|error| error.field.to_string()).collect(),
        Err(error) => panic!("invalid input, not {error}"),
        Ok(_) => panic!("invalid input, not an answer"),
    }
}

pub(crate) fn is_reused_key<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(ChatError::Conflict(Conflict::IdempotencyKeyReused(_))))
}

/// A feed that delivers the events a test has put in to the next subscription, and then ends.
#[derive(Default)]
pub(crate) struct PlayedFeed {
    events: Mutex<VecDeque<LiveEvent>>,
    requests: Mutex<Vec<SubscribeRequest>>,
    /// Why the streams end that are made from now on; because the node stops, unless it is said.
    end: Mutex<Option<StreamCloseReason>>,
    /// Runs when a subscription is made, after the right was checked.
    meanwhile: Mutex<Option<(Arc<MemoryStore>, SessionId, chat_domain::model::SessionChange)>>,
}

impl PlayedFeed {
    pub(crate) fn play(&self, events: impl IntoIterator<Item = LiveEvent>) {
        self.events.lock().unwrap().extend(events);
    }

    /// Makes later streams end for this reason.
    pub(crate) fn end_with(&self, end: StreamCloseReason) {
        *self.end.lock().unwrap() = Some(end);
    }

    /// Who has followed what so far.
    pub(crate) fn requests(&self) -> Vec<SubscribeRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// Makes a change happen between a subscription and its first event.
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
    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription> {
        self.requests.lock().unwrap().push(request);
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some((store, id, change)) = meanwhile {
            store.change(id, change).await?;
        }
        let events = std::mem::take(&mut *self.events.lock().unwrap());
        let end = self.end.lock().unwrap().unwrap_or(StreamCloseReason::NodeStopping);
        Ok(Subscription { outcome: outcome(), stream: Box::new(Played { events, end }) })
    }
}

/// How every watch of the played feed begins.
pub(crate) fn outcome() -> SubscribeOutcome {
    SubscribeOutcome {
        epoch: Epoch::parse("played").unwrap(),
        head: Seq::new(7),
        replay: Replay::Complete { missed: 3 },
    }
}

struct Played {
    events: VecDeque<LiveEvent>,
    end: StreamCloseReason,
}

impl EventStream for Played {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Result<StreamItem>> {
        let next = self.events.pop_front().map(SharedEvent::new);
        Poll::Ready(Ok(next.map_or(StreamItem::Closed(self.end), StreamItem::Event)))
    }

    fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<StreamCloseReason> {
        if self.events.is_empty() { Poll::Ready(self.end) } else { Poll::Pending }
    }
}
