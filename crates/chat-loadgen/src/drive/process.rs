//! The process that is driven, and the signals to it.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::error::LoadError;

/// The process to drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriveSubject {
    /// A process to start: the program and its arguments, without a shell.
    Start(Vec<String>),
    /// A process that runs already and is not ours.
    Process(u32),
}

#[derive(Debug)]
pub(super) enum DrivenProcess {
    Own { child: Child, id: u32 },
    Foreign { id: u32 },
}

impl DrivenProcess {
    pub(super) fn start(subject: &DriveSubject) -> Result<Self, LoadError> {
        let arguments = match subject {
            DriveSubject::Process(id) => {
                let process = Self::Foreign { id: *id };
                test_kill_process(process.pid()?).map_err(failed(format!("signal process {id}, which --pid names")))?;
                return Ok(process);
            }
            DriveSubject::Start(arguments) => arguments,
        };
        let (program, arguments) = arguments
            .split_first()
            .ok_or_else(|| LoadError::setup("there is no command to start: put it after --, such as -- chat-server"))?;
        let child = Command::new(program)
            .args(arguments)
            // The tool's own settings are its own, and a service refuses variables that it does not know.
            .env_remove("CHAT_LOADGEN_TOKEN")
            .env_remove("CHAT_LOADGEN_SECRET")
            .stdin(Stdio::null())
            // Standard output belongs to the report.
            .stdout(io::stderr())
            .kill_on_drop(true)
            .spawn()
            .map_err(LoadError::io(format!("start {program}")))?;
        let id = child.id().ok_or_else(|| LoadError::setup(format!("{program} has no process id")))?;
        Ok(Self::Own { child, id })
    }

    pub(super) fn id(&self) -> u32 {
        match self {
            Self::Own { id, .. } | Self::Foreign { id } => *id,
        }
    }

    fn pid(&self) -> Result<Pid, LoadError> {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| LoadError::setup(format!("{} is no process id", self.id())))
    }

    fn signal(&self, signal: Signal, what: &str) -> Result<(), LoadError> {
        kill_process(self.pid()?, signal).map_err(failed(format!("{what} process {}", self.id())))
    }

    /// Fails when an own process has ended without a signal of ours.
    pub(super) fn must_run(&mut self) -> Result<(), LoadError> {
        let Self::Own { child, id } = self else { return Ok(()) };
        match child.try_wait().map_err(LoadError::io(format!("check process {id}")))? {
            None => Ok(()),
            Some(status) => Err(LoadError::setup(format!("process {id} ended by itself: {status}"))),
        }
    }

    pub(super) fn stop(&self) -> Result<(), LoadError> {
        self.signal(Signal::STOP, "stop")
    }

    pub(super) fn go_on(&self) -> Result<(), LoadError> {
        self.signal(Signal::CONT, "continue")
    }

    pub(super) async fn kill_and_restart(&mut self, subject: &DriveSubject) -> Result<(), LoadError> {
        match self {
            Self::Own { child, id } => child.kill().await.map_err(LoadError::io(format!("kill process {id}")))?,
            Self::Foreign { .. } => return self.signal(Signal::KILL, "kill"),
        }
        *self = Self::start(subject)?;
        Ok(())
    }

    pub(super) async fn term_and_restart(&mut self, subject: &DriveSubject, limit: Duration) -> Result<(), LoadError> {
        self.signal(Signal::TERM, "terminate")?;
        let Self::Own { child, id } = self else { return Ok(()) };
        match timeout(limit, child.wait()).await {
            Ok(ended) => drop(ended.map_err(LoadError::io(format!("wait for process {id}")))?),
            Err(_) => return Err(LoadError::setup(format!("process {id} did not end within {limit:?} of SIGTERM"))),
        }
        *self = Self::start(subject)?;
        Ok(())
    }

    pub(super) async fn end(&mut self, limit: Duration) -> Result<(), LoadError> {
        if matches!(self, Self::Foreign { .. }) || self.must_run().is_err() {
            return Ok(());
        }
        self.signal(Signal::TERM, "terminate")?;
        let Self::Own { child, id } = self else { return Ok(()) };
        if timeout(limit, child.wait()).await.is_err() {
            child.kill().await.map_err(LoadError::io(format!("kill process {id}")))?;
        }
        Ok(())
    }
}

fn failed(what: String) -> impl FnOnce(rustix::io::Errno) -> LoadError {
    |error| LoadError::io(what)(error.into())
}
