//! Streams of a session: the cursor, driven by the watcher's mailbox and the event log.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use chat_domain::error::{ChatError, Resource, Result};
use chat_domain::model::{Published, Seq, SessionEvent};
use chat_domain::ports::{EventLog, EventStream, Follow, SessionFeed};
use tokio::time::{Instant, timeout_at};

use crate::cursor::{Cursor, Step};
use crate::hub::Subscription;
use crate::queue::Queued;
use crate::{Hub, HubSettings};

/// How often the patience doubles at most: from 50 ms to 3.2 s.
const MAX_DOUBLINGS: u32 = 6;

/// Lets people watch sessions, live through a hub and from the past through an event log.
pub struct HubFeed {
    hub: Arc<Hub>,
    log: Arc<dyn EventLog>,
}

impl HubFeed {
    /// A feed on this hub and this log. Every change in the log must be published to the hub after its commit.
    pub fn new(hub: Arc<Hub>, log: Arc<dyn EventLog>) -> Arc<Self> {
        Arc::new(Self { hub, log })
    }
}

#[async_trait]
impl SessionFeed for HubFeed {
    async fn follow(&self, follow: Follow) -> Result<Box<dyn EventStream>> {
        // The order is the guarantee: what is committed after the head was read is published after the registration.
        let subscription = self.hub.register(follow.session, follow.viewer);
        let head = self.log.head(follow.session).await?.ok_or(ChatError::NotFound(Resource::Session))?;
        let cursor = Cursor::start(follow.start, head, self.hub.settings())?;
        let log = Arc::clone(&self.log);
        Ok(Box::new(HubStream {
            subscription,
            log,
            cursor,
            reading: None,
            patience: None,
            settings: *self.hub.settings(),
        }))
    }
}

type Reading = Pin<Box<dyn Future<Output = Result<Vec<SessionEvent>>> + Send>>;

/// One watcher's stream.
///
/// Everything that `next` has begun is kept here and not in its future, so dropping the future loses nothing and does
/// not even start anything anew: a reading of the log goes on, and patience ends when it would have ended.
struct HubStream {
    subscription: Subscription,
    log: Arc<dyn EventLog>,
    cursor: Cursor,
    reading: Option<Reading>,
    /// Which position is waited for, and until when.
    patience: Option<(Seq, Instant)>,
    settings: HubSettings,
}

#[async_trait]
impl EventStream for HubStream {
    async fn next(&mut self) -> Result<Option<Arc<Published>>> {
        loop {
            if self.subscription.mailbox().is_closed() {
                return Ok(None);
            }
            let queued = match self.cursor.step() {
                Step::Give(event) => return Ok(Some(event)),
                Step::Read { after, limit } => {
                    let Some(events) = self.read_log(after, limit).await else { return Ok(None) };
                    self.cursor.loaded(events?).map_err(ChatError::internal)?;
                    continue;
                }
                Step::Wait => self.take().await,
                Step::WaitFor { missing, fruitless } => {
                    let deadline = self.deadline_for(missing, fruitless);
                    let Ok(queued) = timeout_at(deadline, self.take()).await else {
                        tracing::debug!(
                            session.id = %self.subscription.session(), seq = %missing, "missed an event, reading the log"
                        );
                        self.patience = None;
                        self.cursor.patience_over();
                        continue;
                    };
                    queued
                }
            };
            match queued {
                Some(Queued::Event(event)) => {
                    if let Some(event) = self.cursor.offer(event) {
                        return Ok(Some(event));
                    }
                }
                Some(Queued::Lost { up_to }) => self.cursor.lost(up_to),
                None => return Ok(None),
            }
        }
    }
}

impl HubStream {
    /// The next thing in the mailbox; `None` once the hub is shut down.
    async fn take(&mut self) -> Option<Queued> {
        poll_fn(|context| self.subscription.mailbox().poll_take(context)).await
    }

    /// Begins or goes on to read the log; `None` when the hub is shut down meanwhile.
    async fn read_log(&mut self, after: Seq, limit: u32) -> Option<Result<Vec<SessionEvent>>> {
        let session = self.subscription.session();
        let log = &self.log;
        let reading = self.reading.get_or_insert_with(|| {
            let log = Arc::clone(log);
            Box::pin(async move { log.read(session, after, limit).await })
        });
        let mailbox = self.subscription.mailbox();
        let events = poll_fn(|context| {
            if mailbox.poll_closed(context).is_ready() {
                return Poll::Ready(None);
            }
            reading.as_mut().poll(context).map(Some)
        })
        .await;
        self.reading = None;
        events
    }

    /// Until when the missing position is waited for, counted from when it was first missed. The time doubles with
    /// each reading in vain, so that a position that never comes does not keep the log busy.
    fn deadline_for(&mut self, missing: Seq, fruitless: u32) -> Instant {
        match self.patience {
            Some((position, deadline)) if position == missing => deadline,
            _ => {
                let patience = self.settings.patience.saturating_mul(1 << fruitless.min(MAX_DOUBLINGS));
                let deadline = Instant::now() + patience;
                self.patience = Some((missing, deadline));
                deadline
            }
        }
    }
}
