//! `cargo xtask autobahn`: the WebSocket layer against the Autobahn test suite.
//!
//! The suite is a client, written for Python 2, that plays hundreds of cases of RFC 6455 against a server that sends every
//! message back: the example `echo` of `chat-websocket`, which takes its connections over as the service does. It runs
//! under Jython, the Python 2 that is still packaged.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::postgres::apt_get;
use crate::running::RunningProcess;
use crate::step::{Plan, cargo, target_dir, workspace_root};

/// What talks to the suite's modules inside of Jython.
const CLIENT: &str = include_str!("autobahn_client.py");

/// Framing, pings, reserved bits, opcodes, fragments, UTF-8, closing, and automatic fragments. Not in it: 9 is about speed,
/// 12 and 13 about compression, which is not spoken.
const CASES: [&str; 8] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"];
/// How many they are: fewer would mean that the suite was not understood.
const LEAST_CASES: usize = 240;

/// The suite and what it needs, as Python's package index has it; pure Python. With each the directory that holds
/// its modules.
const SOURCES: [(&str, &str); 5] = [
    ("autobahntestsuite==25.10.1", "autobahntestsuite-25.10.1"),
    ("autobahn==0.10.9", "autobahn-0.10.9"),
    ("txaio==2.1.0", "txaio-2.1.0"),
    ("zope.interface==5.4.0", "zope.interface-5.4.0/src"),
    ("six==1.17.0", "six-1.17.0"),
];
/// What cannot be had as sources: today's pip runs the setup program that comes with those, and it is none for Python 3.
/// The wheel of this one is named after Windows, and is pure Python all the same.
const WHEEL: &str = "twisted==15.5.0";
const WHEEL_FOR: [&str; 7] = [
    "--only-binary=:all:",
    "--platform=win_amd64",
    "--python-version=27",
    "--implementation=cp",
    "--abi=none",
    "-q",
    "-q",
];
/// The modules that are kept, by their path in what was unpacked.
const MODULES: [&str; 5] = ["autobahntestsuite", "autobahn", "txaio", "zope", "six.py"];

/// Runs the Autobahn test suite, cases 1 to 7 and 10, against the WebSocket layer.
///
/// Jython is installed if it is missing (Debian's package, as root or through a sudo that asks nothing); the suite comes
/// from Python's package index through pip, and is kept under `target`. It takes about a minute.
#[derive(clap::Args)]
pub(crate) struct Autobahn {}

impl Autobahn {
    #[expect(clippy::unused_self, reason = "every task is run on its options, and this one has none")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        run()
    }
}

/// As the command does.
///
/// # Errors
/// A case failed, or could not be run.
pub(crate) fn run() -> anyhow::Result<()> {
    let libraries = find_or_install()?;
    let mut build = Plan::new("autobahn: build");
    // Of the whole workspace, so that its libraries have the features that they were built with for the tests.
    build.add("the server under test", cargo(["build", "--workspace", "--example=echo"]));
    build.run()?;

    let start = Instant::now();
    let server = Echo::start()?;
    let groups = play(&libraries, &server.url)?;
    for (group, results) in &groups {
        println!("[autobahn] {group}.* {results}");
    }
    let failed: Vec<&str> = groups.values().flat_map(|results| &results.failed).map(String::as_str).collect();
    ensure!(failed.is_empty(), "these cases of the Autobahn test suite failed: {}", failed.join(", "));
    let count: usize = groups.values().map(Results::count).sum();
    ensure!(count >= LEAST_CASES, "the Autobahn test suite ran {count} cases, at least {LEAST_CASES} are expected");
    println!("[autobahn] none of {count} cases failed, in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// What came out of a group of cases.
#[derive(Default)]
struct Results {
    ok: usize,
    /// Right, and later than the suite would like.
    non_strict: usize,
    /// Where the RFC leaves the choice to the server.
    informational: usize,
    failed: Vec<String>,
    time: Duration,
}

impl Results {
    fn count(&self) -> usize {
        self.ok + self.non_strict + self.informational + self.failed.len()
    }

    /// Notes a case by what the suite says of its behaviour and of the close at its end.
    fn note(&mut self, case: &str, behavior: &str, close: &str) {
        let fine = |word| matches!(word, "OK" | "NON-STRICT" | "INFORMATIONAL");
        match (behavior, close) {
            _ if !fine(behavior) || !fine(close) => self.failed.push(format!("{case} ({behavior}, close {close})")),
            ("OK", _) => self.ok += 1,
            ("NON-STRICT", _) => self.non_strict += 1,
            _ => self.informational += 1,
        }
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ok, non_strict, informational, failed, time } = self;
        write!(f, "{ok} ok, {non_strict} non-strict, {informational} informational, {} failed", failed.len())?;
        write!(f, ", {:.1} s", time.as_secs_f64())
    }
}

/// Runs the cases, and gives the results by the first number of the cases' names.
fn play(libraries: &Path, url: &str) -> anyhow::Result<BTreeMap<u32, Results>> {
    let directory = tempfile::Builder::new().prefix("chat-autobahn-").tempdir().context("no temporary directory")?;
    let client = directory.path().join("client.py");
    fs::write(&client, CLIENT)?;
    // `timeout` ends it when it hangs. Should we go first, it ends itself, because the server goes with us.
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "180", "jython"]).arg(&client).arg(libraries).arg(url).args(CASES);
    let mut client =
        RunningProcess(command.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?);
    let output = client.0.stdout.take().context("the suite has no output")?;

    let mut groups: BTreeMap<u32, Results> = BTreeMap::new();
    let mut done = false;
    let mut last = Instant::now();
    for line in BufReader::new(output).lines() {
        let line = line?;
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            // From here on it is the cases that take time, and no more the start of Java.
            ["cases", count] => println!("[autobahn] {count} cases against {url}"),
            ["case", case, behavior, close] => {
                let group = case.split('.').next().unwrap_or_default().parse().context("a case without a number")?;
                let results = groups.entry(group).or_default();
                results.note(case, behavior, close);
                results.time += last.elapsed();
            }
            ["done"] => done = true,
            _ => bail!("the Autobahn test suite says: {line}"),
        }
        last = Instant::now();
    }
    let status = client.0.wait()?;
    ensure!(done && status.success(), "the Autobahn test suite did not come to its end: {status}");
    Ok(groups)
}

/// The server under test. It ends with its standard input, so also when this process is killed.
struct Echo {
    url: String,
    _process: RunningProcess,
    _stdin: ChildStdin,
}

impl Echo {
    fn start() -> anyhow::Result<Self> {
        let program = target_dir().join("debug/examples/echo");
        let mut command = Command::new(&program);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = RunningProcess(child.with_context(|| format!("{} cannot be started", program.display()))?);
        let stdin = process.0.stdin.take().context("the server has no input")?;
        let output = process.0.stdout.take().context("the server has no output")?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        ensure!(!address.is_empty(), "the server under test did not say where it listens");
        Ok(Self { url: format!("ws://{}", address.trim()), _process: process, _stdin: stdin })
    }
}

/// Makes sure that Jython and the suite are there, and says where the suite's modules are.
///
/// # Errors
/// They are missing and cannot be installed here.
pub(crate) fn find_or_install() -> anyhow::Result<PathBuf> {
    find_or_install_jython()?;
    libraries()
}

fn find_or_install_jython() -> anyhow::Result<()> {
    const PACKAGE: &str = "jython";
    let found = || Command::new("jython").arg("--version").output().is_ok_and(|output| output.status.success());
    if found() {
        return Ok(());
    }
    let by_hand = format!("install Jython (on Debian the package `{PACKAGE}`)");
    ensure!(Path::new("/usr/bin/apt-get").is_file(), "Jython is missing, and cannot be installed from here: {by_hand}");
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends", PACKAGE]] {
        println!("[autobahn] installing Jython: apt-get {}", arguments.join(" "));
        let status = apt_get()?.args(arguments).status().with_context(|| by_hand.clone())?;
        ensure!(status.success(), "apt-get {} failed ({status}): {by_hand}", arguments.join(" "));
    }
    ensure!(found(), "Jython was installed, and yet cannot be started");
    Ok(())
}

/// The directory with the suite's modules; made once, from what pip downloads.
fn libraries() -> anyhow::Result<PathBuf> {
    let cache = workspace_root().join("target/autobahn");
    // Another version of anything is another directory.
    let ready = cache.join(SOURCES.map(|(package, _)| package).concat().replace("==", "-"));
    if ready.is_dir() {
        return Ok(ready);
    }
    fs::create_dir_all(&cache)?;
    // Complete or not there: it gets its name when everything is in it.
    let work = tempfile::Builder::new().prefix("unpacking-").tempdir_in(&cache)?;
    let modules = work.path().join("modules");
    fs::create_dir(&modules)?;
    println!("[autobahn] downloading the Autobahn test suite from PyPI, through pip");
    for (package, path) in SOURCES {
        pip(&["--no-binary=:all:", "-q", "-q"], package, work.path())?;
        for archive in files_ending(work.path(), ".tar.gz")? {
            succeed(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(work.path()))?;
            fs::remove_file(archive)?;
        }
        for module in MODULES {
            let unpacked = work.path().join(path).join(module);
            if unpacked.exists() {
                fs::rename(unpacked, modules.join(module))?;
            }
        }
    }
    pip(&WHEEL_FOR, WHEEL, work.path())?;
    for wheel in files_ending(work.path(), ".whl")? {
        succeed(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&modules))?;
    }
    fs::rename(&modules, &ready)?;
    Ok(ready)
}

fn pip(options: &[&str], package: &str, into: &Path) -> anyhow::Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--dest"]).arg(into).args(options).arg(package);
    succeed(&mut pip).with_context(|| format!("{package} could not be had from PyPI (it needs Python 3 with pip)"))
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

fn files_ending(directory: &Path, end: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    Ok(found)
}
