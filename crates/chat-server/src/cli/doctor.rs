//! `doctor`: whether a node with this configuration would work here, and what to do where it would not.

use std::io::Write;

use anyhow::ensure;
use clap::Args;
use serde::Serialize;

use super::block_on;
use crate::config::{Config, units};
use crate::doctor::{self, Diagnosis, DoctorOptions, Severity};
use crate::wire::RecountScope;

/// How it is asked.
#[derive(Args)]
pub(super) struct DoctorArguments {
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
    /// Compare the counters with all rows, however many there are. Otherwise a large database is sampled.
    #[arg(long)]
    full: bool,
    /// The free space below which a disk is a warning.
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "1GiB")]
    min_free: u64,
}

#[derive(Serialize)]
struct DoctorReport<'a> {
    /// That of the worst check.
    status: Severity,
    checks: &'a [Diagnosis],
}

/// Prints what each check has found. Without a configuration there is one check, which says why.
///
/// # Errors
/// A check failed.
pub(super) fn run(
    config: Result<Config, String>,
    arguments: &DoctorArguments,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let recount = if arguments.full { RecountScope::Everything } else { RecountScope::Sample };
    let options = DoctorOptions { recount, min_free: arguments.min_free };
    let checks = match config {
        Ok(config) => block_on(async { Ok(doctor::examine(&config, options).await) })?,
        Err(problem) => vec![doctor::of_configuration(problem)],
    };
    let status = checks.iter().map(|check| check.status).max().unwrap_or(Severity::Ok);
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &DoctorReport { status, checks: &checks })?;
        writeln!(out)?;
    } else {
        let width = checks.iter().map(|check| check.check.len()).max().unwrap_or_default();
        for Diagnosis { check, status, finding, remedy } in &checks {
            let remedy = remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
            writeln!(out, "{:4}  {check:width$}  {finding}{remedy}", status.as_str())?;
        }
    }
    let failed: Vec<&str> =
        checks.iter().filter(|check| check.status == Severity::Fail).map(|check| check.check).collect();
    ensure!(failed.is_empty(), "{} of {} checks failed: {}", failed.len(), checks.len(), failed.join(", "));
    Ok(())
}
