//! Runs a task's steps one after the other, saying which one it is at and how long each took.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// The steps of a task, run in order until one fails.
pub(crate) struct Plan {
    task: &'static str,
    steps: Vec<(String, Command)>,
}

impl Plan {
    /// A plan without steps.
    pub(crate) fn new(task: &'static str) -> Self {
        Self { task, steps: Vec::new() }
    }

    /// Adds a step at the end.
    pub(crate) fn add(&mut self, title: impl Into<String>, command: Command) {
        self.steps.push((title.into(), command));
    }

    /// Runs the steps.
    ///
    /// # Errors
    /// The first step that fails; those after it are not run.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self { task, steps } = self;
        let (count, start) = (steps.len(), Instant::now());
        for (index, (title, mut command)) in steps.into_iter().enumerate() {
            let number = index + 1;
            println!("[{task} {number}/{count}] {title}\n    $ {}", shown(&command));
            let step_start = Instant::now();
            let status = command.status().with_context(|| format!("{} cannot be started", shown(&command)))?;
            let took = seconds(step_start.elapsed());
            ensure!(status.success(), "{task}, step {number} of {count} ({title}) failed after {took}: {status}");
            println!("[{task} {number}/{count}] done in {took}");
        }
        println!("[{task}] all {count} steps are done in {}", seconds(start.elapsed()));
        Ok(())
    }
}

/// A call of cargo in the workspace's root.
///
/// It does not see the variables that cargo sets for the programs that it runs: some build scripts watch them and would
/// build again each time that a task is started in another way.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace_root()).args(arguments);
    for (name, _) in env::vars_os() {
        if set_by_cargo_run(&name) {
            command.env_remove(name);
        }
    }
    command
}

/// The directory with the workspace's `Cargo.toml`.
pub(crate) fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from)
}

fn set_by_cargo_run(name: &OsStr) -> bool {
    const PREFIXES: [&str; 4] = ["CARGO_BIN_", "CARGO_CRATE_", "CARGO_MANIFEST_", "CARGO_PKG_"];
    name.to_str().is_some_and(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let assignments = command.get_envs().filter_map(|(name, value)| {
        value.map(|value| format!("{}={:?} ", name.to_string_lossy(), value.to_string_lossy()))
    });
    let words = command.get_args().map(|word| {
        let word = word.to_string_lossy();
        if word.contains(char::is_whitespace) { format!(" {word:?}") } else { format!(" {word}") }
    });
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default().to_string_lossy();
    assignments.chain([program.into_owned()]).chain(words).collect()
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
