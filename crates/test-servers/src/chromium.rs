//! Headless Chromium for tests of what a page does.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::Error;
use crate::process::{Programs, ServerProcess, ThrowawayDirectory};

const PROGRAMS: Programs = Programs {
    name: "Chromium",
    files: &["chromium"],
    variable: None,
    remedy: "install it, on Debian `apt-get install chromium`",
};

/// A headless browser that asks nothing of other hosts by itself. Without a sandbox, which root has no right to make: it
/// opens pages of tests alone.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
];

/// The path of `chromium`.
///
/// # Errors
/// It is not installed.
pub fn find_chromium() -> Result<PathBuf, Error> {
    PROGRAMS.find([], "").map(|directory| directory.join("chromium"))
}

/// A page in a browser of its own, which ends with the value. What the page finds out it has to send somewhere.
#[derive(Debug)]
pub struct HeadlessPage {
    process: ServerProcess,
}

impl HeadlessPage {
    /// Opens a page, and does not wait for it.
    ///
    /// # Errors
    /// Chromium is not installed or cannot be started.
    pub fn open(url: &str) -> Result<Self, Error> {
        let directory = ThrowawayDirectory::own("chromium-")?;
        // It would leave its temporary files where all programs have theirs.
        let mut temporary = OsString::from("TMPDIR=");
        temporary.push(directory.path());
        let mut line: Vec<OsString> = vec!["env".into(), temporary, find_chromium()?.into()];
        line.extend(FLAGS.map(OsString::from));
        let mut profile = OsString::from("--user-data-dir=");
        profile.push(directory.path().join("profile"));
        line.extend([profile, url.into()]);
        Ok(Self { process: ServerProcess::start(directory, line)? })
    }

    /// What the browser has written, for the message of a test that fails.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.process.directory().join("output")).unwrap_or_default()
    }
}
