//! All use cases on stores in memory, for tests and examples of services that embed `chat-domain`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::inbox::{InboxOwner, InboxView};
use chat_domain::model::{Attachment, Color, ThumbnailOutcome, ThumbnailSize, UserId};
use chat_domain::ports::{InboxFeed, InboxStream, SessionFeed, SubscribeRequest, Subscription, ThumbnailMaker};
use chat_domain::service::{ChatService, Ports, Rules};
use chat_domain::{ChatError, Result};

use crate::{
    FixedClock, MemoryAttachmentStore, MemorySockets, MemoryStore, MemoryTicketStore, RecordingNotifier, Replacements,
    SequentialIds,
};

/// A feed without live events: a subscription fails as `Unavailable`, and so does the opening of an inbox.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullFeed;

#[async_trait]
impl SessionFeed for NullFeed {
    async fn subscribe(&self, _: SubscribeRequest) -> Result<Subscription> {
        Err(ChatError::unavailable("there are no live events in memory"))
    }
}

#[async_trait]
impl InboxFeed for NullFeed {
    async fn open(&self, _: &UserId, _: InboxOwner, _: Vec<InboxView>) -> Result<Box<dyn InboxStream>> {
        Err(ChatError::unavailable("there are no live events in memory"))
    }
}

/// Makes no thumbnails: none can be made of any object.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullThumbnailMaker;

#[async_trait]
impl ThumbnailMaker for NullThumbnailMaker {
    async fn make(&self, _: &UserId, _: &Attachment, _: ThumbnailSize) -> Result<ThumbnailOutcome> {
        Ok(ThumbnailOutcome::Impossible)
    }

    async fn dominant_color(&self, _: &UserId, _: &Attachment) -> Result<Option<Color>> {
        Ok(None)
    }
}

/// A chat in memory, with what a test wants to look at.
pub struct MemoryChat {
    /// The use cases.
    pub service: ChatService,
    /// The ports that they stand on. A test replaces some of them and makes another [`ChatService`].
    pub ports: Ports,
    /// Sessions, messages and agents.
    pub store: Arc<MemoryStore>,
    /// The bytes of files.
    pub attachments: Arc<MemoryAttachmentStore>,
    /// The registry of open sockets.
    pub sockets: Arc<MemorySockets>,
    /// Every change that was published.
    pub notifier: Arc<RecordingNotifier>,
    /// The time, which moves on by a second each time it is read.
    pub clock: Arc<FixedClock>,
}

impl MemoryChat {
    /// An empty chat with the default rules.
    pub fn new() -> Self {
        let clock = Arc::new(FixedClock::ticking(Duration::from_secs(1)));
        let notifier = Arc::new(RecordingNotifier::new());
        let store = MemoryStore::new(notifier.clone());
        let attachments = MemoryAttachmentStore::new(clock.clone());
        let sockets = Arc::new(MemorySockets::new(Arc::new(Replacements::new())));
        let ports = Ports {
            sessions: store.clone(),
            messages: store.clone(),
            events: store.clone(),
            stats: store.clone(),
            agents: store.clone(),
            people: store.clone(),
            presence: store.clone(),
            revocations: store.clone(),
            uploads: store.clone(),
            attachments: attachments.clone(),
            thumbnails: attachments.clone(),
            thumbnail_maker: Arc::new(NullThumbnailMaker),
            notifier: notifier.clone(),
            feed: Arc::new(NullFeed),
            inboxes: Arc::new(NullFeed),
            sockets: sockets.clone(),
            tickets: Arc::new(MemoryTicketStore::new()),
            clock: clock.clone(),
            ids: Arc::new(SequentialIds::new()),
        };
        let service = ChatService::new(ports.clone(), Rules::default());
        Self { service, ports, store, attachments, sockets, notifier, clock }
    }
}

impl Default for MemoryChat {
    fn default() -> Self {
        Self::new()
    }
}
