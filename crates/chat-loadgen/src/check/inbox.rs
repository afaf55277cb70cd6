//! An open inbox: opened again with new snapshots whenever its socket is lost, and in the end compared with REST until it
//! shows the same.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

use super::people::InboxPerson;
use super::reader::ReadEnd;
use super::{CheckPlan, node};
use crate::api_client::ApiClient;
use crate::error::LoadError;
use crate::history::{self, FinalInbox, History, InboxItem, InboxLog, InboxLogEntry, ViewPage};
use crate::http::Target;
use crate::socket::multiplexed::open_inbox;
use crate::socket::{ClientCloseReason, ClientSocketMode, MULTIPLEXED_PATH, Socket, SocketRequest};

/// The pause before a socket is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(50);
/// How long nothing comes before an inbox is compared with REST, and how often it is checked whether the run has ended.
const QUIET: Duration = Duration::from_millis(100);
/// The longest that opening a socket may take.
const LONGEST_OPENING: Duration = Duration::from_secs(5);
/// Items of a snapshot and of a page: the most that the service gives.
const LIMIT: usize = 100;

/// What an inbox returns.
pub(super) struct InboxResult {
    pub(super) logs: Vec<InboxLog>,
    /// What REST showed last.
    pub(super) truth: FinalInbox,
    pub(super) closed: BTreeMap<ClientCloseReason, u64>,
}

pub(super) struct CheckInbox {
    plan: Rc<CheckPlan>,
    person: InboxPerson,
    /// Which of the nodes it is at: they are taken in turn.
    turn: usize,
    was_open: bool,
    logs: Vec<InboxLog>,
    truth: Option<FinalInbox>,
    closed: BTreeMap<ClientCloseReason, u64>,
}

impl CheckInbox {
    /// Inbox `number` of all.
    pub(super) fn new(plan: &Rc<CheckPlan>, person: InboxPerson, number: usize) -> Self {
        let (plan, closed) = (Rc::clone(plan), BTreeMap::new());
        Self { plan, person, turn: number, was_open: false, logs: Vec::new(), truth: None, closed }
    }

    /// Keeps the inbox open until after the end of the run it shows what REST shows, or does not within the patience.
    /// `opened` gets a permit when it was open for the first time.
    ///
    /// # Errors
    /// REST shows nothing in the end.
    pub(super) async fn run(
        mut self,
        end: watch::Receiver<Option<ReadEnd>>,
        opened: Rc<Semaphore>,
    ) -> Result<InboxResult, LoadError> {
        loop {
            let options = &self.plan.options;
            let target = node(&options.read_url, &options.url, self.turn).clone();
            match self.one_socket(&target, &end, &opened).await {
                Ok(()) => break,
                Err(reason) => *self.closed.entry(reason).or_default() += 1,
            }
            self.turn += 1;
            if is_over(&end) {
                self.read_truth().await?;
                break;
            }
            sleep(REOPEN_PAUSE).await;
        }
        if self.logs.is_empty() {
            self.begin_log();
        }
        if let Some(log) = self.logs.last_mut() {
            log.complete = true;
        }
        let truth = self.truth.ok_or_else(|| LoadError::setup("an inbox could not be read in the end"))?;
        Ok(InboxResult { logs: self.logs, truth, closed: self.closed })
    }

    /// From opening a socket to its end. It is `Ok` when the inbox shows what REST shows, or did not in time.
    async fn one_socket(
        &mut self,
        target: &Target,
        end: &watch::Receiver<Option<ReadEnd>>,
        opened: &Semaphore,
    ) -> Result<(), ClientCloseReason> {
        let limit = self.plan.options.timeout.min(LONGEST_OPENING);
        let (path, token, mode) = (MULTIPLEXED_PATH, self.person.token.as_str(), ClientSocketMode::Extended);
        let mut socket = Socket::open(&SocketRequest { target, path, token, mode, limit }).await?;
        let views: Vec<String> = self.person.views.iter().map(|view| (*view).to_owned()).collect();
        socket.queue(open_inbox(&views, LIMIT));
        self.begin_log();
        let (mut snapshots, opening_until) = (0, Instant::now() + limit);
        loop {
            match timeout(QUIET, socket.next_text()).await {
                Ok(text) => {
                    snapshots += usize::from(self.note(&text?)? == Some(InboxFrame::Snapshot));
                    // Changes wait until every inbox was open once.
                    if snapshots == views.len() && !std::mem::replace(&mut self.was_open, true) {
                        opened.add_permits(1);
                    }
                }
                Err(_quiet) if snapshots < views.len() => {
                    if Instant::now() >= opening_until {
                        return Err(ClientCloseReason::Lost);
                    }
                }
                // What REST fails with now is tried again.
                Err(_quiet) if is_begun(end) => {
                    if self.read_truth().await.is_ok() && self.shows_truth() {
                        return Ok(());
                    }
                }
                Err(_quiet) => {}
            }
            if is_over(end) {
                let _as_it_was_read_last = self.read_truth().await;
                return Ok(());
            }
        }
    }

    fn begin_log(&mut self) {
        let inbox = self.person.name.clone();
        self.logs.push(InboxLog { inbox, complete: false, states: Vec::new() });
    }

    /// Writes a frame of the inbox into the log.
    fn note(&mut self, text: &str) -> Result<Option<InboxFrame>, ClientCloseReason> {
        let frame: Value = serde_json::from_str(text).map_err(|_| ClientCloseReason::Malformed)?;
        let kind = frame.get("type").and_then(Value::as_str).unwrap_or_default();
        let (kind, state) = match kind {
            "inbox" => (InboxFrame::Snapshot, snapshot(&frame)),
            "inbox_update" => (InboxFrame::Update, update(&frame)),
            "error" => return Err(ClientCloseReason::Declined),
            _ => return Ok(None),
        };
        let state = state.ok_or(ClientCloseReason::Malformed)?;
        if let Some(log) = self.logs.last_mut() {
            log.states.push(state);
        }
        Ok(Some(kind))
    }

    /// Reads all views over REST.
    async fn read_truth(&mut self) -> Result<(), LoadError> {
        let options = &self.plan.options;
        let mut client = ApiClient::new(options.url.clone(), self.person.token.clone(), options.timeout);
        let mut views = Vec::new();
        for view in self.person.views {
            views.push(read_view(&mut client, view).await?);
        }
        self.truth = Some(FinalInbox { inbox: self.person.name.clone(), views });
        Ok(())
    }

    /// Whether the log of this socket ends as what REST showed last: the same question as at the end, asked of one log.
    fn shows_truth(&self) -> bool {
        let (Some(log), Some(truth)) = (self.logs.last(), &self.truth) else { return false };
        // Only the end is of interest here: an update that goes back is found at the end of the run.
        let log = InboxLog { complete: true, ..log.clone() };
        let alone = History { inboxes: vec![log], final_inboxes: vec![truth.clone()], ..History::default() };
        history::check(&alone).iter().all(history::HistoryViolation::is_of_the_way)
    }
}

/// What a frame was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InboxFrame {
    Snapshot,
    Update,
}

fn snapshot(frame: &Value) -> Option<InboxLogEntry> {
    let data = frame.get("data")?;
    ViewPage::of(data.get("view")?.as_str()?, data).map(InboxLogEntry::Snapshot)
}

fn update(frame: &Value) -> Option<InboxLogEntry> {
    let (data, session) = (frame.get("data")?, frame.get("sessionId")?.as_str()?.to_owned());
    let item = match data.get("item")? {
        Value::Null => None,
        item => Some(InboxItem::of(item)?),
    };
    let (view, counts) = (data.get("view")?.as_str()?.to_owned(), data.get("counts")?.to_string());
    Some(InboxLogEntry::Update { view, session, item, counts })
}

/// All pages of a view; the counts are those of the last one.
async fn read_view(client: &mut ApiClient, view: &str) -> Result<ViewPage, LoadError> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/chat/inbox?view={view}&limit={LIMIT}{cursor}");
        let response = client.call(Method::GET, &path, "").await?;
        let strange = || LoadError::setup(format!("the response to {path} is not as documented"));
        let page: Value = serde_json::from_slice(response.body()).map_err(|_| strange())?;
        let read = ViewPage::of(view, &page).ok_or_else(strange)?;
        items.extend(read.items);
        match page.get("nextCursor").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(ViewPage { view: view.to_owned(), items, counts: read.counts, whole: true }),
        }
    }
}

/// Whether the run has ended, so that nothing changes any more.
fn is_begun(end: &watch::Receiver<Option<ReadEnd>>) -> bool {
    end.borrow().is_some()
}

/// Whether it has ended for longer than an inbox may take.
fn is_over(end: &watch::Receiver<Option<ReadEnd>>) -> bool {
    end.borrow().as_ref().is_some_and(|end| end.since.elapsed() >= end.patience)
}
