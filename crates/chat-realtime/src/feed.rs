//! Streams of a session: the cursor, driven by the mailbox of the subscription and the event log.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use chat_domain::error::{ChatError, Resource, Result};
use chat_domain::model::{Epoch, Seq};
use chat_domain::ports::{
    EventLog, EventStream, Replay, ReplayFallback, SessionFeed, StartPosition, StreamCloseReason, StreamItem,
    SubscribeOutcome, SubscribeRequest, Subscription,
};

use crate::cursor::{CursorStep, StreamCursor, replay};
use crate::hub::{Hub, Registration};
use crate::page::SharedPage;
use crate::queue::QueueItem;
use crate::shared_reads::{SharedRead, SharedReads, shared_error};
use crate::socket_budget::{BudgetShare, SocketBudgets};
use crate::timer::{Sleep, Timer};

/// How often the patience doubles at most: from 50 ms to 3.2 s.
const MAX_DOUBLINGS: u32 = 6;

/// Subscribes to sessions: live events through a hub, past ones from an event log.
pub struct HubFeed {
    hub: Arc<Hub>,
    log: Arc<dyn EventLog>,
    epoch: Epoch,
    catch_up: Arc<CatchUp>,
    budgets: SocketBudgets,
}

/// What all streams of a feed share.
struct CatchUp {
    reads: Arc<SharedReads>,
    timer: Arc<dyn Timer>,
}

impl HubFeed {
    /// A feed on this hub and this log, whose sequence numbers are those of `epoch`. Every event in the log must be
    /// published to the hub after its commit; events that are lost on the way are found by the repair.
    pub fn with_timer(hub: Arc<Hub>, log: Arc<dyn EventLog>, epoch: Epoch, timer: Arc<dyn Timer>) -> Arc<Self> {
        let reads = SharedReads::new(Arc::clone(&log), hub.settings().page_bytes);
        let catch_up = Arc::new(CatchUp { reads, timer });
        Arc::new(Self { hub, log, epoch, catch_up, budgets: SocketBudgets::default() })
    }

    /// Step 1 of subscribing: from now on, new events are kept for the subscription.
    pub(crate) fn register(&self, request: &SubscribeRequest) -> Registration {
        let budget = request.part_of.map(|socket| self.budgets.of(socket, self.hub.settings().socket_bytes));
        self.hub.register(request.session, request.viewer.clone(), request.socket, budget)
    }

    /// Step 2: the event up to which the log has what the queue may not have.
    pub(crate) async fn head(&self, request: &SubscribeRequest) -> Result<Seq> {
        self.log.head(request.session).await?.ok_or(ChatError::NotFound(Resource::Session))
    }

    /// The stream performs the remaining steps.
    pub(crate) fn open(
        &self,
        subscription: Registration,
        request: &SubscribeRequest,
        head: Seq,
    ) -> Result<Subscription> {
        let settings = self.hub.settings();
        let replay = replay(&request.start, head, &self.epoch, settings.replay_limit);
        let after = match (replay, request.fallback, &request.start) {
            (Replay::Unavailable(why), ReplayFallback::Refuse, _) => return Err(why.into()),
            (Replay::Complete { .. }, _, StartPosition::After { seq, .. }) => *seq,
            (Replay::Complete { .. } | Replay::Fresh | Replay::Unavailable(_), _, _) => head,
        };
        self.hub.set_start(request.session, head);
        let share = subscription.mailbox().budget().map(|budget| Box::new(budget.share()));
        let stream = HubStream {
            share,
            subscription,
            catch_up: Arc::clone(&self.catch_up),
            cursor: StreamCursor::start(after, head, settings),
            reading: None,
            gap_wait: None,
        };
        let outcome = SubscribeOutcome { epoch: self.epoch.clone(), head, replay };
        Ok(Subscription { outcome, stream: Box::new(stream) })
    }
}

#[async_trait]
impl SessionFeed for HubFeed {
    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription> {
        // The order is the guarantee: what is committed after the head was read is published after the registration.
        let subscription = self.register(&request);
        let head = self.head(&request).await?;
        self.open(subscription, &request, head)
    }
}

/// The stream of one subscription.
///
/// Everything that a poll has started is kept here, so nothing is lost or restarted when the caller stops polling and
/// polls again: a read of the log goes on, and a wait ends when it would have ended. What is needed only during a
/// catch-up is boxed, as there are many streams and most of them wait.
pub(crate) struct HubStream {
    subscription: Registration,
    /// Whose turn it is to read the log, if its socket has several subscriptions.
    share: Option<Box<BudgetShare>>,
    catch_up: Arc<CatchUp>,
    cursor: StreamCursor,
    reading: Option<SharedRead>,
    gap_wait: Option<Box<GapWait>>,
}

/// A wait for a missing event.
struct GapWait {
    missing: Seq,
    ends: Sleep,
}

impl EventStream for HubStream {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<StreamItem>> {
        loop {
            if let Some(reason) = self.subscription.mailbox().close_reason() {
                self.reading = None;
                self.gap_wait = None;
                self.leave_line();
                return Poll::Ready(Ok(StreamItem::Closed(reason)));
            }
            let queued = match self.cursor.step() {
                CursorStep::Deliver(event) => {
                    if !self.cursor.has_page() {
                        self.leave_line();
                    }
                    return Poll::Ready(Ok(StreamItem::Event(event)));
                }
                CursorStep::Read { after, limit } => {
                    if self.subscription.mailbox().poll_closed(context).is_ready() {
                        continue;
                    }
                    if let Some(share) = &mut self.share {
                        ready!(share.poll_turn(context));
                    }
                    let page = ready!(self.poll_page(context, after, limit)).inspect_err(|_| self.leave_line())?;
                    self.cursor.page_loaded(page).map_err(ChatError::internal)?;
                    continue;
                }
                CursorStep::Wait => {
                    self.leave_line();
                    self.gap_wait = None;
                    ready!(self.subscription.mailbox().poll_take(context))
                }
                CursorStep::WaitFor { missing, empty_reads } => {
                    self.leave_line();
                    match self.subscription.mailbox().poll_take(context) {
                        Poll::Ready(queued) => queued,
                        Poll::Pending => {
                            ready!(self.poll_gap_wait(context, missing, empty_reads));
                            self.gap_wait = None;
                            self.cursor.stop_waiting();
                            continue;
                        }
                    }
                }
            };
            match queued {
                Ok(QueueItem::Event(event)) => {
                    if let Some(event) = self.cursor.accept(event) {
                        return Poll::Ready(Ok(StreamItem::Event(event)));
                    }
                }
                Ok(QueueItem::Gap { up_to }) => self.cursor.mark_gap(up_to),
                Err(reason) => return Poll::Ready(Ok(StreamItem::Closed(reason))),
            }
        }
    }

    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<StreamCloseReason> {
        // Whose events are not taken does not hold up the others.
        if !self.cursor.has_page() && self.reading.is_none() {
            self.leave_line();
        }
        self.subscription.mailbox().poll_closed(context)
    }
}

impl HubStream {
    fn leave_line(&mut self) {
        if let Some(share) = &mut self.share {
            share.leave();
        }
    }

    /// Starts, joins or continues a read of the log.
    fn poll_page(&mut self, context: &mut Context<'_>, after: Seq, limit: u32) -> Poll<Result<SharedPage>> {
        let (catch_up, session) = (&self.catch_up, self.subscription.session());
        let reading = self.reading.get_or_insert_with(|| catch_up.reads.read(session, after, limit));
        let page = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        Poll::Ready(page.map_err(|error| shared_error(&error)))
    }

    /// Waits for the missing event, counted from when it was first missed. The time doubles with each read without
    /// result, so that an event that never comes does not keep the log busy.
    fn poll_gap_wait(&mut self, context: &mut Context<'_>, missing: Seq, empty_reads: u32) -> Poll<()> {
        let (catch_up, settings) = (&self.catch_up, self.subscription.hub().settings());
        let start = || {
            let time = settings.patience.saturating_mul(1 << empty_reads.min(MAX_DOUBLINGS));
            Box::new(GapWait { missing, ends: catch_up.timer.sleep(time) })
        };
        if self.gap_wait.as_ref().is_some_and(|wait| wait.missing != missing) {
            self.gap_wait = None;
        }
        self.gap_wait.get_or_insert_with(start).ends.as_mut().poll(context)
    }
}

/// The most bytes of an idle stream: a node holds tens of thousands of them.
const _: () = assert!(
    size_of::<HubStream>() + size_of::<crate::mailbox::Mailbox>() + size_of::<crate::shard::Subscriber>() <= 600
);
