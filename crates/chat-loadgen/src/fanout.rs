//! One publisher, many sockets: how many frames a second the service brings out.
//!
//! The loop is closed over the sockets, not over the answers to the publisher: a message is sent when all sockets together
//! have received all but `window` of those before it. So the service is kept busy, whatever it can do, and no queue of its
//! grows beyond the window.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::error::LoadError;
use crate::fleet::{Fleet, FleetPlan};
use crate::http::{Blanks, Client, Failure, Target, Template};
use crate::measure::{CpuMeter, Latency};
use crate::monotonic;

/// How long a publisher waits for sockets to receive before it looks again.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the sockets may take to receive the last message.
const SETTLE: Duration = Duration::from_secs(30);
/// What a message takes at least: its stamp.
const LEAST_CHARS: usize = 18;

/// What is published.
#[derive(Clone, Debug)]
pub enum Publish {
    /// Messages to a session, of which a socket gets frames of about `frame_bytes`.
    Messages {
        /// Which.
        session: String,
        /// In whose name.
        token: String,
        /// What no other run has in its idempotency keys.
        name: String,
    },
    /// Texts to any address, which brings them to the sockets as they are.
    Texts {
        /// The path of a `POST`.
        path: String,
    },
}

/// A run.
#[derive(Clone, Debug)]
pub struct FanoutPlan {
    /// The sockets: of one place, [`crate::fleet::Reading::Frames`].
    pub fleet: FleetPlan,
    /// Where messages are published.
    pub target: Target,
    /// What is published.
    pub publish: Publish,
    /// Bytes of a frame at a socket without its head. A message is as long as that needs, 18 characters at least.
    pub frame_bytes: usize,
    /// Messages on their way to all sockets.
    pub window: u64,
    /// Not measured, at the start.
    pub warmup: Duration,
    /// What is measured.
    pub duration: Duration,
    /// The service's process, when it is on this machine and its processor time is wanted.
    pub server: Option<u32>,
}

/// What came of it. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FanoutReport {
    /// `fanout`.
    pub command: &'static str,
    /// Sockets at the same time.
    pub sockets: usize,
    /// Messages on their way to all sockets.
    pub window: u64,
    /// The measured time.
    pub seconds: f64,
    /// Bytes of a frame without its head.
    pub frame_bytes: usize,
    /// Messages received in it, each socket on its own.
    pub frames: u64,
    /// `frames` by `seconds`.
    pub frames_per_second: f64,
    /// Messages published in it.
    pub published: u64,
    /// Of the whole run.
    pub refused: u64,
    /// Messages that sockets did not get within 30 s of the end, each socket on its own.
    pub missing: u64,
    /// From sending to receiving.
    pub delivery_us: Option<Latency>,
    /// Processor time of the service per frame, publishing included; `null` when its process was not named.
    pub server_cpu_us_per_frame: Option<f64>,
    /// Processor time of this process per frame.
    pub generator_cpu_us_per_frame: Option<f64>,
    /// Frames of a second of the service's processor time.
    pub frames_per_server_cpu_second: Option<f64>,
}

/// What publishers share.
struct Shared {
    plan: FanoutPlan,
    fleet: Fleet,
    /// Messages that were begun, less those that were refused.
    published: Cell<u64>,
    refused: Cell<u64>,
    serial: Cell<u64>,
    stopped: Cell<bool>,
}

/// Runs it. `each_second` hears how it goes. Must run inside a `LocalSet`.
///
/// # Errors
/// Not all sockets open, or not a single message gets through.
pub async fn fanout(
    plan: FanoutPlan,
    mut each_second: impl FnMut(Duration, &Fleet),
) -> Result<FanoutReport, LoadError> {
    let limit = plan.fleet.timeout.max(Duration::from_mins(1));
    let (sockets, window, server) = (plan.fleet.sockets as u64, plan.window, plan.server);
    let (warmup, duration) = (plan.warmup, plan.duration);
    let fleet = Fleet::launch(plan.fleet.clone())?;
    fleet.until_open(limit).await?;
    let shared = Rc::new(Shared {
        plan,
        fleet,
        published: Cell::new(0),
        refused: Cell::new(0),
        serial: Cell::new(0),
        stopped: Cell::new(false),
    });
    let fleet = &shared.fleet;
    let template = fitting(&shared, limit).await?;
    fleet.begin_measuring();
    shared.published.set(0);
    let publishers: Vec<_> =
        (0..window.min(64)).map(|_| spawn_local(publish(Rc::clone(&shared), template.clone()))).collect();
    sleep(warmup).await;
    let (before, published_before) = (fleet.messages(), shared.published.get());
    let (own, meter, started) = (CpuMeter::own(), server.map(CpuMeter::of), Instant::now());
    while let Some(left) = duration.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        sleep(left.min(Duration::from_secs(1))).await;
        each_second(started.elapsed(), fleet);
    }
    let (elapsed, own_cpu, server_cpu) = (started.elapsed(), own.elapsed(), meter.and_then(|meter| meter.elapsed()));
    let (frames, published) = (fleet.messages() - before, shared.published.get() - published_before);
    shared.stopped.set(true);
    for publisher in publishers {
        let _ended = publisher.await;
    }
    let settled = async {
        while fleet.messages() < shared.published.get() * sockets {
            let _looked = timeout(LOOK_EVERY, fleet.until_received()).await;
        }
    };
    let _missing = timeout(SETTLE, settled).await;
    if frames == 0 {
        return Err(LoadError::setup("no socket received a message that was published"));
    }
    let seen = fleet.seen();
    let per_frame = |cpu: Duration| rounded(cpu.as_secs_f64() * 1e6 / as_f64(frames));
    Ok(FanoutReport {
        command: "fanout",
        sockets: shared.plan.fleet.sockets,
        window,
        seconds: rounded(elapsed.as_secs_f64()),
        frame_bytes: seen.frame_bytes.unwrap_or_default(),
        frames,
        frames_per_second: rounded(as_f64(frames) / elapsed.as_secs_f64()),
        published,
        refused: shared.refused.get(),
        missing: (shared.published.get() * sockets).saturating_sub(fleet.messages()),
        delivery_us: seen.delivery,
        server_cpu_us_per_frame: server_cpu.map(per_frame),
        generator_cpu_us_per_frame: own_cpu.map(per_frame),
        frames_per_server_cpu_second: server_cpu.map(|cpu| rounded(as_f64(frames) / cpu.as_secs_f64())),
    })
}

/// A message whose frame has the wanted length. Found by sending one.
async fn fitting(shared: &Shared, limit: Duration) -> Result<Template, LoadError> {
    let (plan, fleet) = (&shared.plan, &shared.fleet);
    let template = |chars: usize| match &plan.publish {
        Publish::Messages { token, name, .. } => {
            Template::message(&plan.target, token, chars, Some(&format!("{name}-{chars}-")))
        }
        Publish::Texts { path } => Template::text(&plan.target, path, plan.frame_bytes),
    };
    let shortest = template(LEAST_CHARS);
    let mut client = Client::new(plan.target.clone(), plan.fleet.timeout);
    send(shared, &shortest, &mut client)
        .await
        .map_err(|why| LoadError::setup(format!("nothing can be published: {why}")))?;
    let arrived = async {
        while fleet.messages() < plan.fleet.sockets as u64 {
            fleet.until_received().await;
        }
    };
    timeout(limit, arrived).await.map_err(|_| LoadError::setup("not all sockets received the first message"))?;
    let least = fleet.seen().frame_bytes.unwrap_or_default();
    Ok(template(LEAST_CHARS + plan.frame_bytes.saturating_sub(least)))
}

/// Publishes as long as the sockets keep up.
async fn publish(shared: Rc<Shared>, template: Template) {
    let mut client = Client::new(shared.plan.target.clone(), shared.plan.fleet.timeout);
    let sockets = shared.plan.fleet.sockets as u64;
    while !shared.stopped.get() {
        let on_their_way = (shared.published.get() * sockets).saturating_sub(shared.fleet.messages());
        if on_their_way >= shared.plan.window * sockets {
            let _looked = timeout(LOOK_EVERY, shared.fleet.until_received()).await;
            continue;
        }
        shared.published.set(shared.published.get() + 1);
        if send(&shared, &template, &mut client).await.is_err() {
            shared.published.set(shared.published.get() - 1);
            shared.refused.set(shared.refused.get() + 1);
            sleep(LOOK_EVERY).await;
        }
    }
}

/// One message; the error is why it was not taken.
async fn send(shared: &Shared, template: &Template, client: &mut Client) -> Result<(), String> {
    let serial = shared.serial.replace(shared.serial.get() + 1);
    let session = match &shared.plan.publish {
        Publish::Messages { session, .. } => session,
        Publish::Texts { .. } => "",
    };
    let mut request = Vec::new();
    template.render(&Blanks { session, serial, stamp_us: monotonic::now_us(), ..Blanks::default() }, &mut request);
    match client.send(&request, None).await {
        Ok((head, _)) if (200..300).contains(&head.status) => Ok(()),
        Ok((head, _)) => Err(format!("status {}", head.status)),
        Err(failure) => Err(Failure::name(failure).to_owned()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
