//! A whole run: threads, progress, and the sum of what they counted.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::worker::{self, Shared};
use super::{Plan, Schedule, Stop};
use crate::error::LoadError;
use crate::measure::{CpuMeter, Figures, Progress, Recorder, Report, Tally};

/// Sends the load and answers its figures. Blocks until the end of the run.
///
/// # Errors
/// A thread or its runtime cannot be made. Requests that fail are figures.
pub fn run(plan: Plan) -> Result<Report, LoadError> {
    let recorder = |_| Ok(Arc::new(Mutex::new(Recorder::new()?)));
    let recorders = (0..plan.threads).map(recorder).collect::<Result<Vec<_>, LoadError>>()?;
    let left = match plan.stop {
        Stop::Requests(number) => i64::try_from(number).unwrap_or(i64::MAX),
        Stop::After(_) => 0,
    };
    let shared = Arc::new(Shared { plan, started: Instant::now(), left: AtomicI64::new(left) });
    let plan = &shared.plan;
    let (ended, ends) = mpsc::channel();
    for (number, recorder) in recorders.iter().enumerate() {
        let (shared, recorder, ended) = (Arc::clone(&shared), Arc::clone(recorder), ended.clone());
        thread::Builder::new()
            .name(format!("load-{number}"))
            .spawn(move || ended.send(worker::run(&shared, number, &recorder)))
            .map_err(LoadError::io("start a thread"))?;
    }
    drop(ended);
    let meters = wait(&shared, &recorders, &ends)?;
    let measured = shared.started.elapsed().saturating_sub(plan.warmup);
    let elapsed = match plan.stop {
        Stop::After(time) => time,
        Stop::Requests(_) => measured,
    };
    let mut sum = Tally::new()?;
    for recorder in &recorders {
        sum.merge(&recorder.lock().unwrap_or_else(PoisonError::into_inner).total);
    }
    let figures = Figures {
        command: plan.command,
        target_rate: plan.rate,
        connections: plan.connections,
        threads: plan.threads,
        elapsed,
        scheduled: scheduled(plan),
        own_cpu: meters.own.elapsed(),
        server_cpu: meters.server.and_then(|meter| meter.elapsed()),
    };
    Ok(Report::new(&figures, &sum))
}

struct Meters {
    own: CpuMeter,
    server: Option<CpuMeter>,
}

impl Meters {
    fn new(plan: &Plan) -> Self {
        Self { own: CpuMeter::own(), server: plan.server.map(CpuMeter::of) }
    }
}

/// Waits for all threads; shows the progress meanwhile, and starts the meters when the warm-up is over.
fn wait(
    shared: &Shared,
    recorders: &[Arc<Mutex<Recorder>>],
    ends: &mpsc::Receiver<std::io::Result<()>>,
) -> Result<Meters, LoadError> {
    let plan = &shared.plan;
    let mut progress = if plan.progress { Some(Progress::new(recorders.to_vec())?) } else { None };
    let mut meters = Meters::new(plan);
    let mut warm_at = Some(shared.started + plan.warmup);
    let mut line_at = shared.started + Duration::from_secs(1);
    let mut running = plan.threads;
    while running > 0 {
        let wake_at = warm_at.map_or(line_at, |warm_at| warm_at.min(line_at));
        match ends.recv_timeout(wake_at.saturating_duration_since(Instant::now())) {
            Ok(ended) => {
                ended.map_err(LoadError::io("run the connections of a thread"))?;
                running -= 1;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(LoadError::setup("a thread of the load ended by a panic"));
            }
        }
        let now = Instant::now();
        if warm_at.is_some_and(|warm_at| now >= warm_at) {
            warm_at = None;
            meters = Meters::new(plan);
        }
        if now >= line_at {
            line_at += Duration::from_secs(1);
            if let Some(progress) = &mut progress {
                progress.show();
            }
        }
    }
    Ok(meters)
}

/// How many requests the schedule has in the measured time; `None` in a closed loop or one limited by number.
fn scheduled(plan: &Plan) -> Option<u64> {
    let (rate, Stop::After(time)) = (plan.rate?, plan.stop) else { return None };
    let whole = Schedule::new(rate, 0, 1);
    // A request due exactly at the end is not part of the run, one due at the end of the warm-up is.
    let before = |elapsed: Duration| elapsed.checked_sub(Duration::from_nanos(1)).map_or(0, |e| whole.due_by(e));
    Some(before(plan.warmup + time) - before(plan.warmup))
}
