//! The course of a run: sessions, readers, writers, faults, the final state, the verdict.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

use super::reader::{Finish, Reader};
use super::writer::Writer;
use super::{CheckPlan, final_state};
use crate::drive::{Driver, Round};
use crate::error::LoadError;
use crate::history::{self, FinalState, History, OtherEvents, Violation};
use crate::setup::Caller;
use crate::token::{Role, Tokens};

/// What a run found.
#[derive(Clone, Debug)]
pub struct CheckRun {
    /// All that was seen.
    pub history: History,
    /// What is wrong with it.
    pub violations: Vec<Violation>,
    /// The faults of the run.
    pub rounds: Vec<Round>,
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

/// The people of a run and their tokens.
struct People {
    owner: String,
    agent: String,
    admin: String,
    /// The agent's id; none when one given token is everybody.
    agent_id: Option<String>,
}

impl People {
    fn new(plan: &CheckPlan) -> Result<Self, LoadError> {
        let agent_id = format!("check-agent-{}", plan.name);
        Ok(Self {
            owner: plan.tokens.of(&format!("check-user-{}", plan.name), Role::User)?,
            agent: plan.tokens.of(&agent_id, Role::Agent)?,
            admin: plan.tokens.of(&format!("check-admin-{}", plan.name), Role::Admin)?,
            agent_id: matches!(plan.tokens, Tokens::Signed(_)).then_some(agent_id),
        })
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
    let people = People::new(plan)?;
    let sessions = open_sessions(plan, &people).await?;
    let (finish, finished) = watch::channel(None);
    let opened = Rc::new(Semaphore::new(0));
    let readers = spawn_readers(plan, &people, &sessions, &finished, &opened);
    let everyone = u32::try_from(readers.len()).unwrap_or(u32::MAX);
    match timeout(plan.settle, opened.acquire_many(everyone)).await {
        Ok(_everyone_is_there) => {}
        Err(_) => return Err(LoadError::setup(format!("not all readers could connect within {:?}", plan.settle))),
    }
    let clock = Rc::new(Clock { started: Instant::now(), over_since: Cell::new(None) });
    let writers = spawn_writers(plan, &people, &sessions, &clock);

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
    let _all_gone = finish.send(Some(Finish { last_of, deadline: Instant::now() + plan.settle }));
    for reader in readers {
        history.readers.extend(joined(reader).await?);
    }
    let violations = history::check(&history);
    Ok(CheckRun { history, violations, rounds })
}

async fn joined<T>(task: JoinHandle<Vec<T>>) -> Result<Vec<T>, LoadError> {
    task.await.map_err(|error| LoadError::setup(format!("a part of the check broke: {error}")))
}

fn caller(plan: &CheckPlan, token: &str) -> Caller {
    Caller::new(plan.target.clone(), token.to_owned(), plan.timeout)
}

async fn open_sessions(plan: &CheckPlan, people: &People) -> Result<Vec<String>, LoadError> {
    let (mut owner, mut admin) = (caller(plan, &people.owner), caller(plan, &people.admin));
    if let Some(agent) = &people.agent_id {
        admin.call("PUT", &format!("/api/chat/agents/{agent}"), "{}").await?;
    }
    let mut sessions = Vec::new();
    for _ in 0..plan.sessions {
        let session = owner.open_session().await?;
        if let Some(agent) = &people.agent_id {
            admin.assign(&session, agent).await?;
        }
        sessions.push(session);
    }
    Ok(sessions)
}

/// Of each session: the owner, the agent and an admin in turn.
fn spawn_readers(
    plan: &CheckPlan,
    people: &People,
    sessions: &[String],
    finished: &watch::Receiver<Option<Finish>>,
    opened: &Rc<Semaphore>,
) -> Vec<JoinHandle<Vec<history::ReaderLog>>> {
    let tokens = [&people.owner, &people.agent, &people.admin];
    let mut readers = Vec::new();
    for session in sessions {
        for (number, token) in tokens.into_iter().cycle().take(plan.readers).enumerate() {
            let reader = Reader {
                target: plan.target.clone(),
                token: token.clone(),
                caller: caller(plan, token),
                session: session.clone(),
                name: format!("r{number}"),
                timeout: plan.timeout.min(Duration::from_secs(5)),
                finish: finished.clone(),
                opened: Rc::clone(opened),
                last: None,
                logs: Vec::new(),
            };
            readers.push(spawn_local(reader.run()));
        }
    }
    readers
}

/// Spread over the sessions; of each session, the owner and the agent in turn.
fn spawn_writers(
    plan: &CheckPlan,
    people: &People,
    sessions: &[String],
    clock: &Rc<Clock>,
) -> Vec<JoinHandle<Vec<history::Attempt>>> {
    let mut writers = Vec::new();
    for (number, session) in sessions.iter().cycle().take(plan.writers).enumerate() {
        let by_agent = (number / sessions.len().max(1)) % 2 == 1;
        let writer = Writer {
            caller: caller(plan, if by_agent { &people.agent } else { &people.owner }),
            clock: Rc::clone(clock),
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
    writers
}

async fn read_finals(plan: &CheckPlan, people: &People, sessions: &[String]) -> Result<Vec<FinalState>, LoadError> {
    // Opened, and assigned where there is an agent; receipts may have come on top.
    let others = OtherEvents::AtLeast(if people.agent_id.is_some() { 2 } else { 1 });
    let mut admin = caller(plan, &people.admin);
    let mut finals = Vec::new();
    for session in sessions {
        finals.push(final_state::read(&mut admin, session, others, plan.settle).await?);
    }
    Ok(finals)
}
