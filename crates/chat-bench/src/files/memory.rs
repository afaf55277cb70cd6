//! What 64 uploads and 64 downloads at the same time add to the resident memory of a service.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::transfer::{Connection, Service, TransferTarget, at_once};
use super::{BenchRun, Place};
use crate::figures::Figures;
use crate::process::MeasuredProcess;

/// A person may have eight at a time.
const PEOPLE: usize = 8;
const PARALLEL: usize = 64;
const BYTES: usize = 25_000_000;
const SAMPLES_EVERY: Duration = Duration::from_millis(10);

pub(super) fn measure(run: &BenchRun, place: Place<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    for round in run.rounds("memory of parallel transfers") {
        let chat = place.start(run, &format!("memory-{round}"))?;
        let services: Vec<Service> = (0..PEOPLE)
            .map(|number| Service::of_person(&chat, chat.token_of(&format!("customer {number}"), "user")?))
            .collect::<anyhow::Result<_>>()?;
        let of = |number: usize| services.get(number % PEOPLE).context("no such person");
        // Whatever is made once is there.
        for service in &services {
            service.send(&mut Connection::to(service.address())?, b"warm")?;
        }
        let bytes = vec![7; BYTES];
        let up = growth(&chat.process, || {
            at_once(PARALLEL, |number| {
                let service = of(number)?;
                service.send(&mut Connection::to(service.address())?, &bytes).map(drop)
            })
        })?;
        figures.record(format!("memory of {PARALLEL} uploads at once, {}", place.name()), "MiB", up);
        drop(chat);

        let chat = place.start(run, &format!("memory-{round}"))?;
        let service = Service::of(&chat)?;
        let path = service.send(&mut Connection::to(service.address())?, &bytes)?;
        let down = growth(&chat.process, || {
            at_once(PARALLEL, |_| Connection::to(service.address())?.download(&path, &service.headers()).map(drop))
        })?;
        figures.record(format!("memory of {PARALLEL} downloads at once, {}", place.name()), "MiB", down);
    }
    Ok(())
}

/// By how much the resident memory grows at most while the work is done.
fn growth(process: &MeasuredProcess, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let before = process.resident_mib()?;
    let is_done = AtomicBool::new(false);
    let peak = thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut peak = before;
            while !is_done.load(Ordering::Relaxed) {
                peak = process.resident_mib()?.max(peak);
                thread::sleep(SAMPLES_EVERY);
            }
            anyhow::Ok(peak)
        });
        let worked = work();
        is_done.store(true, Ordering::Relaxed);
        let peak = sampler.join().map_err(|_| anyhow!("the sampler has panicked"))?;
        worked.and(peak)
    })?;
    Ok(peak - before)
}
