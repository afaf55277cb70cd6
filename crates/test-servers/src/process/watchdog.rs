//! A small process that outlives the test's and ends a server when the test's process is gone, however it ended.
//!
//! It is a shell that reads a pipe whose other end only the test's process holds. When that closes the pipe, or is
//! killed, the shell reads the end of the pipe, ends the server and removes its directory. Dropping a server goes the
//! same way, so every test takes the way that is there for accidents.

use std::env;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use tempfile::TempDir;

use crate::error::Error;
use crate::process::Account;

/// The path of a Unix socket may have 107 bytes; this leaves room for the directory's and the socket's own names.
const LONGEST_TEMP_DIR: usize = 70;

/// A new temporary directory, and the account that it belongs to.
#[derive(Debug)]
pub(crate) struct ThrowawayDirectory {
    directory: TempDir,
    account: Account,
}

impl ThrowawayDirectory {
    /// For a server that runs as the test does.
    pub(crate) fn own(prefix: &str) -> Result<Self, Error> {
        let usual = env::temp_dir();
        let parent = if usual.as_os_str().len() > LONGEST_TEMP_DIR { Path::new("/tmp") } else { &usual };
        let directory = tempfile::Builder::new().prefix(prefix).tempdir_in(parent);
        Ok(Self { directory: directory.map_err(Error::io("make a temporary directory"))?, account: Account::Own })
    }

    /// For PostgreSQL's programs, which do not run as root.
    pub(crate) fn for_postgres(prefix: &str) -> Result<Self, Error> {
        let own = Self::own(prefix)?;
        Ok(Self { account: Account::for_postgres(own.path())?, ..own })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn account(&self) -> Account {
        self.account
    }
}

/// The watching process and the server's directory. Its drop ends the server and waits until everything is gone.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    /// Never written to.
    pipe: Option<ChildStdin>,
    // Dropped after the shell has ended, so what it left of the directory is removed.
    directory: ThrowawayDirectory,
}

impl Watchdog {
    /// Starts the shell as the directory's account.
    ///
    /// In the script `$1` is the directory, which it must remove, and the arguments follow. It reads its input to the end
    /// (`cat`) before it ends the server. Its output can be taken once; its errors go nowhere, because nothing reads them
    /// when they matter.
    pub(crate) fn start(
        directory: ThrowawayDirectory,
        script: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Self, Error> {
        let mut shell = directory.account().command("sh");
        // Ctrl-C in a terminal reaches all processes of a group, and `runuser` would pass it on.
        shell.args(["-c", &format!("trap '' HUP INT QUIT TERM\n{script}"), "watchdog"]).process_group(0);
        shell.arg(directory.path()).args(arguments);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(Error::io("start the watchdog"))?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe, directory })
    }

    /// What the script writes.
    pub(crate) fn take_output(&mut self) -> Option<ChildStdout> {
        self.shell.stdout.take()
    }

    pub(crate) fn directory(&self) -> &ThrowawayDirectory {
        &self.directory
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _already_reaped = self.shell.wait();
    }
}
