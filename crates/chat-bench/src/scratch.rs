//! A directory for a run's files that is removed afterwards, also when the run is interrupted.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// Waits for the end of a pipe whose other end only we hold, and removes the directory. What is killed together with us may
/// still write for a moment.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
cat
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
"#;

/// The directory.
pub(super) struct Scratch {
    remover: Child,
    directory: TempDir,
}

impl Scratch {
    pub(super) fn new() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("chat-bench-").tempdir().context("no temporary directory")?;
        let kind = file_system(directory.path())?;
        ensure!(
            !matches!(kind.as_str(), "tmpfs" | "ramfs"),
            "{} is in memory ({kind}), where durable writes cost nothing: name a directory on a disk in TMPDIR",
            directory.path().display()
        );
        // A group of its own: a terminal's Ctrl-C goes to ours.
        let remover = Command::new("sh")
            .args(["-c", SCRIPT, "scratch"])
            .arg(directory.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("sh cannot be started")?;
        Ok(Self { remover, directory })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.remover.stdin.take());
        let _already_reaped = self.remover.wait();
    }
}

fn file_system(path: &Path) -> anyhow::Result<String> {
    let output = Command::new("stat").args(["--file-system", "--format=%T"]).arg(path).output().context("stat")?;
    ensure!(output.status.success(), "stat failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// How many GiB are free on the file system of a directory.
pub(super) fn free_gib(path: &Path) -> anyhow::Result<f64> {
    let output = Command::new("df").args(["--output=avail", "--block-size=1M"]).arg(path).output().context("df")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mib: f64 = text.lines().last().unwrap_or_default().trim().parse().context("df says nothing")?;
    Ok(mib / 1024.0)
}
