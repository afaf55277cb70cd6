//! Streams of a session: the cursor, driven by the watcher's mailbox and the event log.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use chat_domain::error::{ChatError, Resource, Result};
use chat_domain::model::{Epoch, Seq};
use chat_domain::ports::{
    End, EventLog, EventStream, Follow, Following, Heard, Opening, Otherwise, Replay, SessionFeed, Start,
};

use crate::cursor::{Cursor, Step, replay};
use crate::hub::{Hub, Subscription};
use crate::page::Page;
use crate::queue::Queued;
use crate::shared_reads::{Reading, SharedReads, retold};
use crate::timer::{Sleep, Timer};

/// How often the patience doubles at most: from 50 ms to 3.2 s.
const MAX_DOUBLINGS: u32 = 6;

/// Lets people watch sessions, live through a hub and from the past through an event log.
pub struct HubFeed {
    hub: Arc<Hub>,
    log: Arc<dyn EventLog>,
    epoch: Epoch,
    past: Arc<Past>,
}

/// What all streams of a feed share.
struct Past {
    reads: Arc<SharedReads>,
    timer: Arc<dyn Timer>,
}

impl HubFeed {
    /// A feed on this hub and this log, whose positions are those of `epoch`. Every change in the log must be published
    /// to the hub after its commit; whatever is lost on the way is found by the repair.
    pub fn with_timer(hub: Arc<Hub>, log: Arc<dyn EventLog>, epoch: Epoch, timer: Arc<dyn Timer>) -> Arc<Self> {
        let reads = SharedReads::new(Arc::clone(&log), hub.settings().page_bytes);
        let past = Arc::new(Past { reads, timer });
        Arc::new(Self { hub, log, epoch, past })
    }

    /// Step 1 of connecting: from now on, new events are kept for the watcher.
    pub(crate) fn register(&self, follow: &Follow) -> Subscription {
        self.hub.register(follow.session, follow.viewer.clone(), follow.connection)
    }

    /// Step 2: the position up to which the log has what the queue may not have.
    pub(crate) async fn head(&self, follow: &Follow) -> Result<Seq> {
        self.log.head(follow.session).await?.ok_or(ChatError::NotFound(Resource::Session))
    }

    /// The remaining steps are the stream's.
    pub(crate) fn begin(&self, subscription: Subscription, follow: &Follow, head: Seq) -> Result<Following> {
        let settings = self.hub.settings();
        let replay = replay(&follow.start, head, &self.epoch, settings.replay_limit);
        let after = match (replay, follow.otherwise, &follow.start) {
            (Replay::Unavailable(why), Otherwise::Refuse, _) => return Err(why.into()),
            (Replay::Complete { .. }, _, Start::After { seq, .. }) => *seq,
            (Replay::Complete { .. } | Replay::Fresh | Replay::Unavailable(_), _, _) => head,
        };
        self.hub.begins_at(follow.session, head);
        let stream = HubStream {
            subscription,
            past: Arc::clone(&self.past),
            cursor: Cursor::start(after, head, settings),
            reading: None,
            patience: None,
        };
        let opening = Opening { epoch: self.epoch.clone(), head, replay };
        Ok(Following { opening, stream: Box::new(stream) })
    }
}

#[async_trait]
impl SessionFeed for HubFeed {
    async fn follow(&self, follow: Follow) -> Result<Following> {
        // The order is the guarantee: what is committed after the head was read is published after the registration.
        let subscription = self.register(&follow);
        let head = self.head(&follow).await?;
        self.begin(subscription, &follow, head)
    }
}

/// One watcher's stream.
///
/// Everything that a poll has begun is kept here, so nothing is lost or started anew when the task that polls changes
/// its mind: a reading of the log goes on, and patience ends when it would have ended. What is needed only while the
/// watcher is behind is boxed, as there are many streams and most of them wait.
pub(crate) struct HubStream {
    subscription: Subscription,
    past: Arc<Past>,
    cursor: Cursor,
    reading: Option<Reading>,
    patience: Option<Box<Patience>>,
}

/// Which position is waited for, and until when.
struct Patience {
    missing: Seq,
    over: Sleep,
}

impl EventStream for HubStream {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Heard>> {
        loop {
            if let Some(end) = self.subscription.mailbox().ended() {
                self.reading = None;
                self.patience = None;
                return Poll::Ready(Ok(Heard::Ended(end)));
            }
            let queued = match self.cursor.step() {
                Step::Give(event) => return Poll::Ready(Ok(Heard::Event(event))),
                Step::Read { after, limit } => {
                    if self.subscription.mailbox().poll_end(context).is_ready() {
                        continue;
                    }
                    let page = ready!(self.poll_page(context, after, limit))?;
                    self.cursor.loaded(page).map_err(ChatError::internal)?;
                    continue;
                }
                Step::Wait => {
                    self.patience = None;
                    ready!(self.subscription.mailbox().poll_take(context))
                }
                Step::WaitFor { missing, fruitless } => match self.subscription.mailbox().poll_take(context) {
                    Poll::Ready(queued) => queued,
                    Poll::Pending => {
                        ready!(self.poll_patience(context, missing, fruitless));
                        self.patience = None;
                        self.cursor.patience_over();
                        continue;
                    }
                },
            };
            match queued {
                Ok(Queued::Event(event)) => {
                    if let Some(event) = self.cursor.offer(event) {
                        return Poll::Ready(Ok(Heard::Event(event)));
                    }
                }
                Ok(Queued::Lost { up_to }) => self.cursor.lost(up_to),
                Err(end) => return Poll::Ready(Ok(Heard::Ended(end))),
            }
        }
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<End> {
        self.subscription.mailbox().poll_end(context)
    }
}

impl HubStream {
    /// Begins, joins or goes on with a reading of the log.
    fn poll_page(&mut self, context: &mut Context<'_>, after: Seq, limit: u32) -> Poll<Result<Page>> {
        let (past, session) = (&self.past, self.subscription.session());
        let reading = self.reading.get_or_insert_with(|| past.reads.read(session, after, limit));
        let answer = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        Poll::Ready(answer.map_err(|error| retold(&error)))
    }

    /// Waits for the missing position, counted from when it was first missed. The time doubles with each reading in
    /// vain, so that a position that never comes does not keep the log busy.
    fn poll_patience(&mut self, context: &mut Context<'_>, missing: Seq, fruitless: u32) -> Poll<()> {
        let (past, settings) = (&self.past, self.subscription.hub().settings());
        let begin = || {
            let time = settings.patience.saturating_mul(1 << fruitless.min(MAX_DOUBLINGS));
            Box::new(Patience { missing, over: past.timer.sleep(time) })
        };
        if self.patience.as_ref().is_some_and(|patience| patience.missing != missing) {
            self.patience = None;
        }
        self.patience.get_or_insert_with(begin).over.as_mut().poll(context)
    }
}

/// The most bytes that a stream takes which has nothing to give out: a server holds tens of thousands of them.
const _: () =
    assert!(size_of::<HubStream>() + size_of::<crate::mailbox::Mailbox>() + size_of::<crate::shard::Watcher>() <= 600);
