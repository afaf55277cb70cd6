//! A small process that outlives ours and ends the server when we are gone, however we went.
//!
//! It is a shell that reads a pipe whose other end only we hold. When we close it, or are killed, the shell reads the
//! end of the pipe, stops the server and removes its directory. Dropping a server goes the same way, so the way for
//! accidents is the one that every test walks.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use crate::error::Error;
use crate::process::Account;

/// `$1` is `pg_ctl`, `$2` the data, `$3` what to remove. What it does is not reported: nobody is there to read it.
///
/// A start of the server may be under way when we die; its `pg_ctl` finds no directory then, or the server notices within
/// a minute that its lock file is gone and ends by itself.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
cat
"$1" stop --silent --pgdata="$2" --mode=immediate --wait
rm -rf -- "$3"
"#;

/// The watching process. Its drop ends the server and waits until everything is gone.
#[derive(Debug)]
pub(crate) struct Watchdog {
    process: Child,
    /// Never written to.
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    pub(crate) fn over(account: Account, programs: &Path, data: &Path, directory: &Path) -> Result<Self, Error> {
        let mut shell = account.command("sh");
        shell.args(["-c", SCRIPT, "watchdog"]).arg(programs.join("pg_ctl")).arg(data).arg(directory);
        // A group of its own: a terminal's Ctrl-C goes to ours, and `runuser` would pass it on.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = shell.spawn().map_err(Error::io("start the watchdog"))?;
        let pipe = process.stdin.take();
        Ok(Self { process, pipe })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _nobody_to_tell = self.process.wait();
    }
}
