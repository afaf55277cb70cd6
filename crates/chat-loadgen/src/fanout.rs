//! One publisher, many sockets: how many frames a second the service brings out.
//!
//! The loop is closed over the sockets, not over the responses to the publisher: a message is sent when all sockets
//! together have received all but `window` of those before it. So the service is kept busy, whatever it can do, and no
//! queue of its grows beyond the window.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::error::LoadError;
use crate::fleet::{Fleet, FleetPlan};
use crate::http::{HttpClient, RequestTemplate, Target, TemplateValues, is_success};
use crate::measure::{CpuMeter, LatencySummary, as_f64, rounded};
use crate::units;

/// How long a publisher waits for sockets to receive before it looks again.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the sockets may take to receive the last message.
const SETTLE: Duration = Duration::from_secs(30);
/// What a message has at least: its stamp.
const LEAST_CHARS: usize = 18;

/// How much is published.
#[derive(Clone, Debug, Args)]
pub struct FanoutOptions {
    /// Bytes of a frame at a socket, its head excluded.
    #[arg(long, value_name = "NUMBER", default_value = "300", value_parser = units::length)]
    pub frame_bytes: usize,
    /// Messages on their way: one is sent when the sockets have received all but so many of those before it.
    #[arg(long, value_name = "NUMBER", default_value = "32", value_parser = units::requests)]
    pub window: u64,
    /// Load before the measured part.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::duration_or_zero)]
    pub warmup: Duration,
    /// How long the measured part takes.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub duration: Duration,
    /// The service's process on this machine, to report its processor time per frame.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
}

/// What is published.
#[derive(Clone, Debug)]
pub enum Publication {
    /// Messages to a session, as long as the frames ask for it.
    Messages {
        /// Which.
        session: String,
        /// In whose name.
        token: String,
        /// What no other run has in its idempotency keys.
        run_name: String,
    },
    /// Texts to any address, which brings them to the sockets as they are.
    Texts {
        /// The path of a `POST`.
        path: String,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/loadgen.md explains every field, and a test compares the names")]
pub struct FanoutReport {
    pub command: &'static str,
    pub sockets: usize,
    pub window: u64,
    pub seconds: f64,
    pub frame_bytes: usize,
    pub frames: u64,
    pub frames_per_second: f64,
    pub published: u64,
    pub refused: u64,
    pub missing: u64,
    pub delivery_us: Option<LatencySummary>,
    pub server_cpu_us_per_frame: Option<f64>,
    pub generator_cpu_us_per_frame: Option<f64>,
    pub frames_per_server_cpu_second: Option<f64>,
}

/// What publishers share.
struct FanoutState {
    fleet: Fleet,
    sockets: u64,
    window: u64,
    target: Target,
    timeout: Duration,
    publication: Publication,
    /// Messages that were begun, less those that were refused.
    published: Cell<u64>,
    refused: Cell<u64>,
    serial: Cell<u64>,
    stopped: Cell<bool>,
}

/// Publishes to a fleet of one path, [`crate::fleet::Reading::Frames`], through its first node. `each_second` gets a
/// line about it. Must run inside a `LocalSet`.
///
/// # Errors
/// Not all sockets open, or not a single message gets through.
pub async fn fanout(
    plan: FleetPlan,
    publication: Publication,
    options: &FanoutOptions,
    mut each_second: impl FnMut(Duration, String),
) -> Result<FanoutReport, LoadError> {
    let limit = plan.timeout.max(Duration::from_mins(1));
    let target = plan.nodes.first().cloned().ok_or_else(|| LoadError::setup("there is no node"))?;
    let (timeout_of_one, sockets, window) = (plan.timeout, plan.sockets as u64, options.window);
    let fleet = Fleet::launch(plan)?;
    fleet.until_open(limit).await?;
    let state = Rc::new(FanoutState {
        fleet,
        sockets,
        window,
        target,
        timeout: timeout_of_one,
        publication,
        published: Cell::new(0),
        refused: Cell::new(0),
        serial: Cell::new(0),
        stopped: Cell::new(false),
    });
    let fleet = &state.fleet;
    let template = fitting_template(&state, options.frame_bytes, limit).await?;
    fleet.begin_measuring();
    state.published.set(0);
    let publishers: Vec<_> =
        (0..window.min(64)).map(|_| spawn_local(publish(Rc::clone(&state), template.clone()))).collect();
    sleep(options.warmup).await;
    let (before, published_before) = (fleet.messages(), state.published.get());
    let (own, server, started) = (CpuMeter::own(), options.server_pid.map(CpuMeter::of), Instant::now());
    let mut last = before;
    while let Some(left) = options.duration.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        sleep(left.min(Duration::from_secs(1))).await;
        let messages = fleet.messages();
        each_second(started.elapsed(), format!("{:>7} open {:>10} messages", fleet.open(), messages - last));
        last = messages;
    }
    let (elapsed, own_cpu, server_cpu) = (started.elapsed(), own.elapsed(), server.and_then(|meter| meter.elapsed()));
    let (frames, published) = (fleet.messages() - before, state.published.get() - published_before);
    state.stopped.set(true);
    for publisher in publishers {
        let _ended = publisher.await;
    }
    let _missing = timeout(SETTLE, until_received(&state, || state.published.get() * sockets)).await;
    if frames == 0 {
        return Err(LoadError::setup("no socket received a message that was published"));
    }
    let summary = fleet.summary();
    let per_frame = |cpu: Duration| rounded(cpu.as_secs_f64() * 1e6 / as_f64(frames));
    Ok(FanoutReport {
        command: "fanout",
        sockets: usize::try_from(sockets).unwrap_or(usize::MAX),
        window,
        seconds: rounded(elapsed.as_secs_f64()),
        frame_bytes: summary.frame_bytes.unwrap_or_default(),
        frames,
        frames_per_second: rounded(as_f64(frames) / elapsed.as_secs_f64()),
        published,
        refused: state.refused.get(),
        missing: (state.published.get() * sockets).saturating_sub(fleet.messages()),
        delivery_us: summary.delivery,
        server_cpu_us_per_frame: server_cpu.map(per_frame),
        generator_cpu_us_per_frame: own_cpu.map(per_frame),
        frames_per_server_cpu_second: server_cpu.map(|cpu| rounded(as_f64(frames) / cpu.as_secs_f64())),
    })
}

async fn until_received(state: &FanoutState, wanted: impl Fn() -> u64) {
    while state.fleet.messages() < wanted() {
        let _looked = timeout(LOOK_EVERY, state.fleet.until_received()).await;
    }
}

/// A message whose frame has the wanted length. Found by sending one.
async fn fitting_template(
    state: &FanoutState,
    frame_bytes: usize,
    limit: Duration,
) -> Result<RequestTemplate, LoadError> {
    let template = |chars: usize| match &state.publication {
        Publication::Messages { token, run_name, .. } => {
            RequestTemplate::message(&state.target, token, chars, Some(&format!("{run_name}-{chars}-")))
        }
        Publication::Texts { path } => RequestTemplate::text(&state.target, path, frame_bytes),
    };
    let mut client = HttpClient::new(state.target.clone(), state.timeout);
    send(state, &template(LEAST_CHARS), &mut client)
        .await
        .map_err(|why| LoadError::setup(format!("nothing can be published: {why}")))?;
    let arrived = timeout(limit, until_received(state, || state.sockets)).await;
    arrived.map_err(|_| LoadError::setup("not all sockets received the first message"))?;
    let least = state.fleet.summary().frame_bytes.unwrap_or_default();
    Ok(template(LEAST_CHARS + frame_bytes.saturating_sub(least)))
}

/// Publishes as long as the sockets keep up.
async fn publish(state: Rc<FanoutState>, template: RequestTemplate) {
    let mut client = HttpClient::new(state.target.clone(), state.timeout);
    while !state.stopped.get() {
        let on_their_way = (state.published.get() * state.sockets).saturating_sub(state.fleet.messages());
        if on_their_way >= state.window * state.sockets {
            let _looked = timeout(LOOK_EVERY, state.fleet.until_received()).await;
            continue;
        }
        state.published.set(state.published.get() + 1);
        if send(&state, &template, &mut client).await.is_err() {
            state.published.set(state.published.get() - 1);
            state.refused.set(state.refused.get() + 1);
            sleep(LOOK_EVERY).await;
        }
    }
}

/// One message; the error is why it was not taken.
async fn send(state: &FanoutState, template: &RequestTemplate, client: &mut HttpClient) -> Result<(), String> {
    let serial = state.serial.replace(state.serial.get() + 1);
    let session = match &state.publication {
        Publication::Messages { session, .. } => session,
        Publication::Texts { .. } => "",
    };
    let request = template
        .render(&TemplateValues { session, serial, ..TemplateValues::default() })
        .map_err(|why| why.to_string())?;
    match client.send(request).await {
        Ok(response) if is_success(response.status().as_u16()) => Ok(()),
        Ok(response) => Err(format!("status {}", response.status().as_u16())),
        Err(failure) => Err(failure.name().to_owned()),
    }
}
