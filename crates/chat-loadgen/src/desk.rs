//! A desk at work: agents with their sessions open, customers who write to them at a rate. How soon a message is in the
//! inbox of the agent whom its session is assigned to, and how soon on the socket; and what both cost the service.
//!
//! Each agent has one multiplexed socket with an inbox and a subscription to each of their sessions, or for comparison a
//! socket for each session. Everything else is the same.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use hyper::Method;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking, spawn_local};
use tokio::time::{sleep, timeout};

use crate::api_client::ApiClient;
use crate::error::LoadError;
use crate::fleet::{Fleet, FleetPlan, MultiplexPlan, Reading};
use crate::http::{RequestTemplate, Target};
use crate::load::{self, LoadPlan, LoadReport, LoadRequests, StopAfter};
use crate::measure::{CpuMeter, LatencySummary, MemoryMeter, as_f64, close_reasons, rounded};
use crate::socket::{ClientSocketMode, MULTIPLEXED_PATH, path};
use crate::token::{TokenRole, Tokens};
use crate::units;

/// Requests of the preparation, and handshakes, at the same time.
const AT_ONCE: usize = 32;
/// Connections that messages are sent on.
const CONNECTIONS: usize = 16;
/// How long the sockets may take to receive the last message.
const SETTLE: Duration = Duration::from_secs(30);
/// How often to look whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How large the desk is.
#[derive(Clone, Debug, Args)]
pub struct DeskOptions {
    /// Agents.
    #[arg(long, value_name = "NUMBER", default_value = "500", value_parser = units::count)]
    pub agents: usize,
    /// Sessions of each agent, all of them subscribed to.
    #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = units::count)]
    pub subscriptions: usize,
    /// Messages a second to all sessions in turn, on a fixed schedule, in the names of their customers.
    #[arg(long, value_name = "RATE", default_value = "200", value_parser = units::rate)]
    pub rate: f64,
    /// Characters of a message.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = units::length)]
    pub length: usize,
    /// How long messages are sent.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    pub duration: Duration,
    /// How long the sockets are idle before that, to find what they cost.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::duration)]
    pub idle: Duration,
    /// A socket for each session in place of one for all, and no inbox.
    #[arg(long)]
    pub single: bool,
    /// How long opening all sockets may take.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = units::duration)]
    pub patience: Duration,
    /// The service's process on this machine, to report its memory and processor time.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
}

/// The desk with what the command line has for all commands.
#[derive(Clone, Debug)]
pub struct DeskPlan {
    /// How large it is.
    pub options: DeskOptions,
    /// Where messages are sent to, and the sockets are.
    pub nodes: Vec<Target>,
    /// Of all people. They must be signed here.
    pub tokens: Tokens,
    /// How long a response may take.
    pub timeout: Duration,
    /// What no other run has in its names and idempotency keys.
    pub run_name: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/loadgen.md explains every field, and a test compares the names")]
pub struct DeskReport {
    pub command: &'static str,
    pub agents: usize,
    pub sessions: usize,
    pub sockets: usize,
    pub subscriptions: usize,
    pub seconds: f64,
    pub target_rate: f64,
    pub requests: u64,
    pub succeeded: u64,
    pub latency_us: Option<LatencySummary>,
    pub start_delay_us: Option<LatencySummary>,
    pub statuses: BTreeMap<String, u64>,
    pub messages: u64,
    pub missing: u64,
    pub delivery_us: Option<LatencySummary>,
    pub inbox_updates: u64,
    pub inbox_us: Option<LatencySummary>,
    pub order_faults: u64,
    pub first_faults: Vec<String>,
    pub close_reasons: BTreeMap<String, u64>,
    pub server_kib_before: Option<u64>,
    pub server_kib_held: Option<u64>,
    pub server_kib_per_socket: Option<f64>,
    pub server_cpu_idle: Option<f64>,
    pub server_cpu: Option<f64>,
    pub generator_cpu: Option<f64>,
}

/// Opens the sessions and the sockets, and sends. `each_second` gets a line about it. Must run inside a `LocalSet`.
///
/// # Errors
/// The preparation is refused, or not all sockets open.
pub async fn desk(plan: DeskPlan, mut each_second: impl FnMut(Duration, String)) -> Result<DeskReport, LoadError> {
    let started = Instant::now();
    if matches!(plan.tokens, Tokens::Given(_)) {
        return Err(LoadError::setup("a desk has many people: give --secret, --secret-file or --key-file"));
    }
    let plan = Rc::new(plan);
    let options = &plan.options;
    let sessions = open_sessions(&plan).await?;
    each_second(started.elapsed(), format!("{:>7} sessions", sessions.len()));
    let fleet_plan = fleet_plan(&plan, &sessions)?;
    let (sockets, mut memory) = (fleet_plan.sockets, MemoryMeter::of(options.server_pid));
    let fleet = Fleet::launch(fleet_plan)?;
    fleet.until_open(options.patience).await?;
    each_second(started.elapsed(), format!("{:>7} open", fleet.open()));
    let meters = || (options.server_pid.map(CpuMeter::of), CpuMeter::own(), Instant::now());
    let idle = meters();
    sleep(options.idle).await;
    let (idle_cpu, held) = (share(idle.0.as_ref(), idle.2), memory.sample());

    fleet.begin_measuring();
    let busy = meters();
    let requests = requests(&plan, &sessions)?;
    let total = requests.sessions.len();
    let sent = send(load_plan(&plan, requests)?, &fleet, |line| each_second(started.elapsed(), line)).await?;
    let (server_cpu, own_cpu) = (share(busy.0.as_ref(), busy.2), share(Some(&busy.1), busy.2));
    let received = async {
        while fleet.messages() < sent.succeeded {
            let _looked = timeout(LOOK_EVERY, fleet.until_received()).await;
        }
    };
    let _missing = timeout(SETTLE, received).await;
    let summary = fleet.summary();
    let grown =
        |from: Option<u64>, to: Option<u64>| Some(rounded((as_f64(to?) - as_f64(from?)) / as_f64(sockets as u64)));
    Ok(DeskReport {
        command: "desk",
        agents: options.agents,
        sessions: total,
        sockets,
        subscriptions: options.subscriptions,
        seconds: sent.seconds,
        target_rate: options.rate,
        requests: sent.requests,
        succeeded: sent.succeeded,
        latency_us: sent.latency_us,
        start_delay_us: sent.start_delay_us,
        statuses: sent.statuses,
        messages: summary.messages,
        missing: sent.succeeded.saturating_sub(summary.messages),
        delivery_us: summary.delivery,
        inbox_updates: summary.inbox_updates,
        inbox_us: summary.inbox,
        order_faults: summary.order_faults,
        first_faults: summary.first_faults,
        close_reasons: close_reasons(&summary.closed),
        server_kib_before: memory.before,
        server_kib_held: held,
        server_kib_per_socket: grown(memory.before, held),
        server_cpu_idle: idle_cpu,
        server_cpu,
        generator_cpu: own_cpu,
    })
}

/// Processor time since the meter was made, as a part of one core.
fn share(meter: Option<&CpuMeter>, since: Instant) -> Option<f64> {
    Some(rounded(meter?.elapsed()?.as_secs_f64() / since.elapsed().as_secs_f64() * 100.0) / 100.0)
}

impl DeskPlan {
    fn agent(&self, number: usize) -> String {
        format!("desk-agent-{}-{number}", self.run_name)
    }

    fn customer(&self, number: usize) -> Result<String, LoadError> {
        self.tokens.of(&format!("desk-customer-{}-{number}", self.run_name), TokenRole::User)
    }

    fn client(&self, token: String) -> Result<ApiClient, LoadError> {
        let node = self.nodes.first().cloned().ok_or_else(|| LoadError::setup("there is no node"))?;
        Ok(ApiClient::new(node, token, self.timeout))
    }
}

/// Opens the sessions of every agent, agent by agent, each agent's in the name of a customer of their own.
async fn open_sessions(plan: &Rc<DeskPlan>) -> Result<Vec<String>, LoadError> {
    let turn = Rc::new(Semaphore::new(AT_ONCE));
    let opening: Vec<JoinHandle<Result<Vec<String>, LoadError>>> = (0..plan.options.agents)
        .map(|number| {
            let (plan, turn) = (Rc::clone(plan), Rc::clone(&turn));
            spawn_local(async move {
                let _turn = turn.acquire().await.map_err(|_| LoadError::setup("the preparation was given up"))?;
                open_sessions_of(&plan, number).await
            })
        })
        .collect();
    let mut sessions = Vec::new();
    for of_agent in opening {
        let broken = |error| LoadError::setup(format!("a part of the preparation broke: {error}"));
        sessions.extend(of_agent.await.map_err(broken)??);
    }
    Ok(sessions)
}

async fn open_sessions_of(plan: &DeskPlan, number: usize) -> Result<Vec<String>, LoadError> {
    let mut admin = plan.client(plan.tokens.of("desk-admin", TokenRole::Admin)?)?;
    let mut customer = plan.client(plan.customer(number)?)?;
    let agent = plan.agent(number);
    admin.call(Method::PUT, &format!("/api/chat/agents/{agent}"), "{}").await?;
    let mut sessions = Vec::with_capacity(plan.options.subscriptions);
    for _ in 0..plan.options.subscriptions {
        let session = customer.open_session().await?;
        admin.assign(&session, &agent).await?;
        sessions.push(session);
    }
    Ok(sessions)
}

fn fleet_plan(plan: &DeskPlan, sessions: &[String]) -> Result<FleetPlan, LoadError> {
    let DeskOptions { agents, subscriptions, single, .. } = plan.options;
    let tokens = (0..agents).map(|number| plan.tokens.of(&plan.agent(number), TokenRole::Agent));
    let (paths, sockets, sockets_of_a_person, multiplexed) = if single {
        (sessions.iter().map(|session| path(session, "")).collect(), sessions.len(), subscriptions, None)
    } else {
        let multiplexed = MultiplexPlan { views: vec!["mine".to_owned()], sessions: sessions.to_vec(), subscriptions };
        (vec![MULTIPLEXED_PATH.to_owned()], agents, 1, Some(multiplexed))
    };
    Ok(FleetPlan {
        nodes: plan.nodes.clone(),
        tokens: tokens.collect::<Result<_, _>>()?,
        sockets_of_a_person,
        paths,
        sockets,
        mode: ClientSocketMode::Extended,
        reading: Reading::Events,
        acknowledge: true,
        reopen: true,
        at_once: AT_ONCE,
        timeout: plan.timeout,
        multiplexed,
    })
}

/// A session has the template at its place modulo their number: the first sessions of all agents come first, so that
/// each is sent to in the name of its customer, and no agent gets two messages in a row.
fn requests(plan: &DeskPlan, sessions: &[String]) -> Result<LoadRequests, LoadError> {
    let DeskOptions { agents, subscriptions, length, .. } = plan.options;
    let target = plan.nodes.first().ok_or_else(|| LoadError::setup("there is no node"))?;
    let key = format!("{}-", plan.run_name);
    let template = |number| Ok(RequestTemplate::message(target, &plan.customer(number)?, length, Some(&key)));
    let templates = (0..agents).map(template).collect::<Result<_, LoadError>>()?;
    let places = (0..subscriptions).flat_map(|nth| (0..agents).map(move |agent| agent * subscriptions + nth));
    let sessions = places.filter_map(|place| sessions.get(place).cloned()).collect();
    Ok(LoadRequests { templates, sessions, before: Vec::new(), pages: 1 })
}

fn load_plan(plan: &DeskPlan, requests: LoadRequests) -> Result<LoadPlan, LoadError> {
    Ok(LoadPlan {
        command: "desk",
        target: plan.nodes.first().cloned().ok_or_else(|| LoadError::setup("there is no node"))?,
        requests,
        connections: CONNECTIONS,
        threads: 1,
        // Every message counts, so that a missing one shows.
        warmup: Duration::ZERO,
        stop: StopAfter::Time(plan.options.duration),
        rate: Some(plan.options.rate),
        timeout: plan.timeout,
        server: plan.options.server_pid,
    })
}

/// Sends on a thread of its own, so that what is sent does not wait for what is received.
async fn send(plan: LoadPlan, fleet: &Fleet, mut each_second: impl FnMut(String)) -> Result<LoadReport, LoadError> {
    let mut sending = spawn_blocking(move || load::run(plan, |_, _| {}));
    let mut last = 0;
    loop {
        if let Ok(sent) = timeout(Duration::from_secs(1), &mut sending).await {
            return sent.map_err(|error| LoadError::setup(format!("a part of the load broke: {error}")))?;
        }
        let messages = fleet.messages();
        each_second(format!("{:>7} open {:>10} messages", fleet.open(), messages - last));
        last = messages;
    }
}
