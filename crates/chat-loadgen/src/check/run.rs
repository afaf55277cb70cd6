//! The course of a run: sessions, readers, writers, faults, the final state, the verdict.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Instant;

use hyper::Method;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

use super::changes::CheckChanges;
use super::clock::RunClock;
use super::inbox::{CheckInbox, InboxResult};
use super::people::People;
use super::reader::{CheckReader, ReadEnd, ReaderResult};
use super::writer::CheckWriter;
use super::{CheckPlan, final_state};
use crate::api_client::ApiClient;
use crate::drive::{Driver, FaultRound};
use crate::error::LoadError;
use crate::history::{self, Attempt, FinalState, History, HistoryViolation, OtherEvents};
use crate::measure::{LatencySummary, histogram};
use crate::socket::ClientCloseReason;

/// What a run found.
#[derive(Clone, Debug)]
pub(crate) struct CheckRun {
    pub(crate) history: History,
    /// What is wrong with it.
    pub(crate) violations: Vec<HistoryViolation>,
    /// The faults of the run.
    pub(crate) rounds: Vec<FaultRound>,
    /// From sending to receiving, of messages that came while their socket was open. In base mode, those that a resumed
    /// socket replayed are part of it.
    pub(crate) delivery: Option<LatencySummary>,
    /// Why readers' sockets ended and handshakes failed.
    pub(crate) closed: BTreeMap<ClientCloseReason, u64>,
}

impl CheckRun {
    /// The verdict on a history.
    pub(crate) fn of(history: History) -> Self {
        let violations = history::check(&history);
        Self { history, violations, rounds: Vec::new(), delivery: None, closed: BTreeMap::new() }
    }
}

/// Runs the check; with a driver, under its faults, at least as long as they take. Must run inside a `LocalSet`.
/// `on_round` gets each fault.
///
/// # Errors
/// The preparation is refused, the driver fails, or the final state cannot be read. What is wrong with the history is
/// no error but a violation.
pub(crate) async fn run(
    plan: CheckPlan,
    driver: Option<&mut Driver>,
    on_round: impl FnMut(&FaultRound),
) -> Result<CheckRun, LoadError> {
    let people = People::new(&plan);
    let sessions = open_sessions(&plan, &people).await?;
    let plan = Rc::new(plan);
    let (settle, duration) = (plan.options.settle, plan.options.duration);
    let clock = Rc::new(RunClock::start());
    let (finish, finished) = watch::channel(None);
    let opened = Rc::new(Semaphore::new(0));
    let readers: Vec<_> = new_readers(&plan, &people, &sessions)?
        .into_iter()
        .map(|reader| spawn_local(reader.run(finished.clone(), Rc::clone(&opened))))
        .collect();
    let (finish_inboxes, inboxes_finished) = watch::channel(None);
    let inboxes: Vec<_> = (0..plan.options.inboxes)
        .map(|number| {
            let inbox = CheckInbox::new(&plan, people.of_inbox(number, plan.options.sessions)?, number);
            Ok(spawn_local(inbox.run(inboxes_finished.clone(), Rc::clone(&opened))))
        })
        .collect::<Result<_, LoadError>>()?;
    let everyone = u32::try_from(readers.len() + inboxes.len()).unwrap_or(u32::MAX);
    match timeout(settle, opened.acquire_many(everyone)).await {
        Ok(_all_are_open) => {}
        Err(_) => return Err(LoadError::setup(format!("not all readers could connect within {settle:?}"))),
    }
    let changes = match inboxes.len() {
        0 => None,
        _ => Some(spawn_local(CheckChanges::new(&plan, &clock, &people)?.run())),
    };
    let writers = new_writers(&plan, &people, &sessions, &clock)?;
    let writers: Vec<_> = writers.into_iter().map(|writer| spawn_local(writer.run())).collect();
    let driven = async {
        match driver {
            Some(driver) => driver.run(on_round).await,
            None => Ok(Vec::new()),
        }
    };
    let ((), rounds) = tokio::join!(tokio::time::sleep(duration), driven);
    clock.end();
    let mut history = History::default();
    for writer in writers {
        history.attempts.extend(joined::<Vec<Attempt>>(writer).await?);
    }
    if let Some(changes) = changes {
        joined::<()>(changes).await?;
    }
    let rounds = rounds?;
    history.finals = read_finals(&plan, &people, &sessions).await?;
    let last_of = |state: &FinalState| Some((state.session.clone(), state.messages.last()?.id.clone()));
    let last_of = Rc::new(history.finals.iter().filter_map(last_of).collect::<HashMap<_, _>>());
    // Readers that have ended wrote so into their logs.
    let _all_ended = finish.send(Some(ReadEnd { last_of, since: Instant::now(), patience: settle }));
    let (mut delivery, mut closed) = (histogram()?, BTreeMap::new());
    let mut ended = |of_one: BTreeMap<ClientCloseReason, u64>| {
        for (reason, count) in of_one {
            *closed.entry(reason).or_default() += count;
        }
    };
    for reader in readers {
        let read: ReaderResult = joined(reader).await?;
        history.readers.extend(read.logs);
        read.delivery_us.iter().for_each(|time| delivery.saturating_record(*time));
        ended(read.closed);
    }
    // Readers acknowledge, which changes what inboxes show: nothing changes once they have ended.
    let end = ReadEnd { last_of: Rc::default(), since: Instant::now(), patience: settle };
    let _all_ended = finish_inboxes.send(Some(end));
    for inbox in inboxes {
        let kept: InboxResult = joined::<Result<_, LoadError>>(inbox).await??;
        history.inboxes.extend(kept.logs);
        history.final_inboxes.push(kept.truth);
        ended(kept.closed);
    }
    Ok(CheckRun { rounds, delivery: LatencySummary::of(&delivery), closed, ..CheckRun::of(history) })
}

async fn joined<T>(task: JoinHandle<T>) -> Result<T, LoadError> {
    task.await.map_err(|error| LoadError::setup(format!("a part of the check broke: {error}")))
}

fn client(plan: &CheckPlan, token: String) -> ApiClient {
    ApiClient::new(plan.options.url.clone(), token, plan.options.timeout)
}

async fn open_sessions(plan: &CheckPlan, people: &People) -> Result<Vec<String>, LoadError> {
    let mut admin = client(plan, people.admin()?);
    let (mut sessions, mut agent) = (Vec::new(), None);
    for place in 0..plan.options.sessions {
        if agent != people.agent_id(place) {
            agent = people.agent_id(place);
            let name = agent.as_deref().unwrap_or_default();
            admin.call(Method::PUT, &format!("/api/chat/agents/{name}"), "{}").await?;
        }
        let session = client(plan, people.owner(place)?).open_session().await?;
        if let Some(agent) = &agent {
            admin.assign(&session, agent).await?;
        }
        sessions.push(session);
    }
    Ok(sessions)
}

/// Of each session: the owner, the agent, and admins.
fn new_readers(plan: &Rc<CheckPlan>, people: &People, sessions: &[String]) -> Result<Vec<CheckReader>, LoadError> {
    let options = &plan.options;
    let sockets = options.sessions * options.readers + options.inboxes;
    crate::net::allow_connections(sockets + options.writers)?;
    let mut readers = Vec::new();
    for (place, session) in sessions.iter().enumerate() {
        for number in 0..options.readers {
            let token = match number {
                0 => people.owner(place)?,
                1 => people.agent(place)?,
                _ => people.reading_admin(readers.len())?,
            };
            readers.push(CheckReader::new(plan, token, session, (number, readers.len())));
        }
    }
    Ok(readers)
}

/// Spread over the sessions; of each session, the owner and the agent in turn.
fn new_writers(
    plan: &Rc<CheckPlan>,
    people: &People,
    sessions: &[String],
    clock: &Rc<RunClock>,
) -> Result<Vec<CheckWriter>, LoadError> {
    let places = sessions.iter().enumerate().cycle().take(plan.options.writers).enumerate();
    let writer = |(number, (place, session)): (usize, (usize, &String))| {
        let by_agent = (number / sessions.len().max(1)) % 2 == 1;
        let token = if by_agent { people.agent(place)? } else { people.owner(place)? };
        Ok(CheckWriter::new(plan, clock, token, session, number))
    };
    places.map(writer).collect()
}

async fn read_finals(plan: &CheckPlan, people: &People, sessions: &[String]) -> Result<Vec<FinalState>, LoadError> {
    // Opened, and assigned where there is an agent; receipts may have come on top.
    let others = OtherEvents::AtLeast(if people.agent_id(0).is_some() { 2 } else { 1 });
    let mut admin = client(plan, people.admin()?);
    let mut finals = Vec::new();
    for session in sessions {
        finals.push(final_state::read(&mut admin, session, others, plan.options.settle).await?);
    }
    Ok(finals)
}
