//! Child processes that end with this one, however it ends.

use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use anyhow::Context;

/// A call of a program that the kernel ends when this process is gone, and that does not see the service's settings of the
/// developer's shell.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CHAT_") || name.starts_with("PG")) {
            command.env_remove(name);
        }
    }
    command
}

/// A process that does not outlive the measurement.
pub(super) struct MeasuredProcess(Child);

impl MeasuredProcess {
    pub(super) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("{command:?} cannot be started"))?;
        Ok(Self(child))
    }

    /// Starts a program whose standard output is piped, and returns that too.
    pub(super) fn start_with_output(command: &mut Command) -> anyhow::Result<(Self, ChildStdout)> {
        let mut running = Self::start(command.stdout(Stdio::piped()))?;
        let output = running.0.stdout.take().context("the output is not piped")?;
        Ok((running, output))
    }

    /// `setpriv` becomes the program, so it is the program's id too.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Resident memory as the kernel counts it.
    pub(super) fn resident_mib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// User and system time up to now, exact to some 10 ms (fields 14 and 15 of `/proc/PID/stat`, in ticks of which Linux has
    /// 100 a second).
    pub(super) fn processor_time(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        // The name in field 2 may have spaces; it ends with the last parenthesis.
        let (_, fields) = stat.rsplit_once(')').context("no name")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
        Ok(Duration::from_millis(10) * ticks.sum::<Result<u32, _>>()?)
    }
}

impl Drop for MeasuredProcess {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _already_reaped = self.0.wait();
    }
}
