//! The course of a run: sessions, readers, writers, faults, the final state, the verdict.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

use super::people::People;
use super::reader::{Delivery, Finish, Read, Reader};
use super::writer::Writer;
use super::{CheckPlan, final_state};
use crate::drive::{Driver, Round};
use crate::error::LoadError;
use crate::history::{self, FinalState, History, OtherEvents, Violation};
use crate::measure::{Latency, histogram, micros};
use crate::setup::Caller;
use crate::socket::SocketEnd;

/// What a run found.
#[derive(Clone, Debug)]
pub struct CheckRun {
    /// All that was seen.
    pub history: History,
    /// What is wrong with it.
    pub violations: Vec<Violation>,
    /// The faults of the run.
    pub rounds: Vec<Round>,
    /// When readers got messages, and how long after sending.
    pub deliveries: Vec<Delivery>,
    /// Why readers' sockets ended and handshakes failed.
    pub ends: BTreeMap<SocketEnd, u64>,
}

impl CheckRun {
    /// The verdict on a history that was saved.
    pub fn of(history: History) -> Self {
        let violations = history::check(&history);
        Self { history, violations, rounds: Vec::new(), deliveries: Vec::new(), ends: BTreeMap::new() }
    }

    /// From sending to receiving, of messages that came while their socket was open, received in this part of the run;
    /// `None` when there are none. In base mode, those that a resumed socket brought are part of it.
    ///
    /// # Errors
    /// The counters cannot be made.
    pub fn delivery_within(&self, span: Range<Duration>) -> Result<Option<Latency>, LoadError> {
        let mut times = histogram()?;
        let (from, to) = (micros(span.start), micros(span.end));
        for delivery in self.deliveries.iter().filter(|delivery| !delivery.replayed) {
            if (from..to).contains(&delivery.received_us) {
                times.saturating_record(delivery.took_us);
            }
        }
        Ok(Latency::of(&times))
    }
}

/// The clock of a run, and whether writers shall stop.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    over_since: Cell<Option<Instant>>,
}

impl Clock {
    /// Microseconds since the start.
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over_since.get().is_some()
    }

    pub(super) fn over_since(&self) -> Option<Instant> {
        self.over_since.get()
    }
}

/// Runs the check; with a driver, under its faults, at least as long as they take. Must run inside a `LocalSet`.
/// `on_round` hears of each fault.
///
/// # Errors
/// The preparation is refused, the driver fails, or the final state cannot be read. What is wrong with the history is
/// no error but a violation.
pub async fn run(
    plan: &CheckPlan,
    driver: Option<&mut Driver>,
    on_round: impl FnMut(&Round),
) -> Result<CheckRun, LoadError> {
    let people = People::new(plan);
    let sessions = open_sessions(plan, &people).await?;
    let (finish, finished) = watch::channel(None);
    let opened = Rc::new(Semaphore::new(0));
    let clock = Rc::new(Clock { started: Instant::now(), over_since: Cell::new(None) });
    let shared = Shared { plan, people: &people, sessions: &sessions, clock: &clock };
    let readers = spawn_readers(&shared, &finished, &opened)?;
    let everyone = u32::try_from(readers.len()).unwrap_or(u32::MAX);
    match timeout(plan.settle, opened.acquire_many(everyone)).await {
        Ok(_everyone_is_there) => {}
        Err(_) => return Err(LoadError::setup(format!("not all readers could connect within {:?}", plan.settle))),
    }
    let writers = spawn_writers(&shared)?;

    let least = tokio::time::sleep(plan.duration);
    let driven = async {
        match driver {
            Some(driver) => driver.run(on_round).await,
            None => Ok(Vec::new()),
        }
    };
    let ((), rounds) = tokio::join!(least, driven);
    clock.over_since.set(Some(Instant::now()));
    let mut history = History::default();
    for writer in writers {
        history.attempts.extend(joined(writer).await?);
    }
    let rounds = rounds?;
    history.finals = read_finals(plan, &people, &sessions).await?;
    let last_of = |state: &FinalState| Some((state.session.clone(), state.messages.last()?.id.clone()));
    let last_of = Rc::new(history.finals.iter().filter_map(last_of).collect::<HashMap<_, _>>());
    // Readers that are gone have told so by their logs.
    let _all_gone = finish.send(Some(Finish { last_of, since: Instant::now(), patience: plan.settle }));
    let (mut deliveries, mut ends) = (Vec::new(), BTreeMap::new());
    for reader in readers {
        let read = joined(reader).await?;
        history.readers.extend(read.logs);
        deliveries.extend(read.deliveries);
        for (end, count) in read.ends {
            *ends.entry(end).or_default() += count;
        }
    }
    Ok(CheckRun { rounds, deliveries, ends, ..CheckRun::of(history) })
}

/// What readers and writers are made of.
struct Shared<'a> {
    plan: &'a CheckPlan,
    people: &'a People,
    sessions: &'a [String],
    clock: &'a Rc<Clock>,
}

async fn joined<T>(task: JoinHandle<T>) -> Result<T, LoadError> {
    task.await.map_err(|error| LoadError::setup(format!("a part of the check broke: {error}")))
}

fn caller(plan: &CheckPlan, token: &str) -> Caller {
    Caller::new(plan.target.clone(), token.to_owned(), plan.timeout)
}

async fn open_sessions(plan: &CheckPlan, people: &People) -> Result<Vec<String>, LoadError> {
    let mut admin = caller(plan, &people.admin()?);
    let (mut sessions, mut agent) = (Vec::new(), None);
    for place in 0..plan.sessions {
        if agent != people.agent_id(place) {
            agent = people.agent_id(place);
            let name = agent.as_deref().unwrap_or_default();
            admin.call("PUT", &format!("/api/chat/agents/{name}"), "{}").await?;
        }
        let session = caller(plan, &people.owner(place)?).open_session().await?;
        if let Some(agent) = &agent {
            admin.assign(&session, agent).await?;
        }
        sessions.push(session);
    }
    Ok(sessions)
}

/// Of each session: the owner, the agent, and admins.
fn spawn_readers(
    shared: &Shared<'_>,
    finished: &watch::Receiver<Option<Finish>>,
    opened: &Rc<Semaphore>,
) -> Result<Vec<JoinHandle<Read>>, LoadError> {
    let (plan, people) = (shared.plan, shared.people);
    crate::net::allow_connections(plan.sessions * plan.readers + plan.writers)?;
    let mut readers = Vec::new();
    for (place, session) in shared.sessions.iter().enumerate() {
        for number in 0..plan.readers {
            let token = match number {
                0 => people.owner(place)?,
                1 => people.agent(place)?,
                _ => people.watching_admin(readers.len())?,
            };
            let reader = Reader::new(plan, shared.clock, token, session, (number, readers.len()));
            readers.push(spawn_local(reader.run(finished.clone(), Rc::clone(opened))));
        }
    }
    Ok(readers)
}

/// Spread over the sessions; of each session, the owner and the agent in turn.
fn spawn_writers(shared: &Shared<'_>) -> Result<Vec<JoinHandle<Vec<history::Attempt>>>, LoadError> {
    let (plan, people, sessions) = (shared.plan, shared.people, shared.sessions);
    let mut writers = Vec::new();
    for (number, (place, session)) in sessions.iter().enumerate().cycle().take(plan.writers).enumerate() {
        let by_agent = (number / sessions.len().max(1)) % 2 == 1;
        let writer = Writer {
            targets: plan.write_to.clone(),
            turn: number,
            caller: None,
            token: if by_agent { people.agent(place)? } else { people.owner(place)? },
            timeout: plan.timeout,
            clock: Rc::clone(shared.clock),
            session: session.clone(),
            name: format!("w{number}"),
            run: plan.name.clone(),
            length: plan.length,
            repeat_every: plan.repeat_every,
            settle: plan.settle,
            attempts: Vec::new(),
        };
        writers.push(spawn_local(writer.run()));
    }
    Ok(writers)
}

async fn read_finals(plan: &CheckPlan, people: &People, sessions: &[String]) -> Result<Vec<FinalState>, LoadError> {
    // Opened, and assigned where there is an agent; receipts may have come on top.
    let others = OtherEvents::AtLeast(if people.agent_id(0).is_some() { 2 } else { 1 });
    let mut admin = caller(plan, &people.admin()?);
    let mut finals = Vec::new();
    for session in sessions {
        finals.push(final_state::read(&mut admin, session, others, plan.settle).await?);
    }
    Ok(finals)
}
