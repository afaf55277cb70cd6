//! `cargo xtask schemathesis`: requests that are generated from the description of the API, right and wrong ones, against
//! a server, with everything that schemathesis can check about the responses.
//!
//! It runs three times, as a customer, an agent and an admin, each against a server of its own. What it must not hold
//! against the service is in `crates/xtask/schemathesis`, with a reason for each.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::python;
use crate::running::RunningProcess;
use crate::step::{Plan, cargo, target_dir, workspace_root};

/// The people, by their role.
const PEOPLE: [(&str, &str); 3] = [("user", "alice"), ("agent", "bob"), ("admin", "root")];
/// Signs the tokens of a server that is gone a minute later.
const SECRET: &str = "only-for-the-throwaway-servers-of-this-task";
/// How long a server may take to start on a machine that may be busy.
const START_LIMIT: Duration = Duration::from_mins(1);
/// When one of the three runs is given up, in seconds; it takes about 20.
const LIMIT_SECONDS: &str = "300";

/// Runs schemathesis with all its checks, as a customer, an agent and an admin, against throwaway servers on SQLite.
///
/// Python's module `venv` is installed if it is missing (Debian's package, as root or through a sudo that asks nothing);
/// schemathesis comes from Python's package index and is kept under `target`. It takes about half a minute.
#[derive(clap::Args)]
pub(crate) struct Schemathesis {}

impl Schemathesis {
    #[expect(clippy::unused_self, reason = "every task is run on its options, and this one has none")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        run()
    }
}

/// As the command does.
///
/// # Errors
/// A check failed, or could not be run.
pub(crate) fn run() -> anyhow::Result<()> {
    let programs = find_or_install()?;
    let mut build = Plan::new("schemathesis: build");
    // As the tests build it, so that after them nothing is left to do.
    build.add("the server under test", cargo(["test", "--workspace", "--test=it", "--no-run"]));
    build.run()?;
    let start = Instant::now();
    let runs: Vec<SchemathesisRun> =
        PEOPLE.iter().map(|(role, _)| SchemathesisRun::start(role, &programs)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut failed = Vec::new();
    for run in runs {
        let role = run.role;
        match run.finish() {
            Ok(summary) => println!("[schemathesis] as {role}: {summary}"),
            Err(error) => {
                println!("[schemathesis] as {role}: {error:#}");
                failed.push(role);
            }
        }
    }
    ensure!(failed.is_empty(), "schemathesis failed as {}", failed.join(" and as "));
    println!("[schemathesis] no check failed, in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Makes sure that schemathesis is there, and answers where its programs are.
///
/// # Errors
/// It is missing and cannot be installed here.
pub(crate) fn find_or_install() -> anyhow::Result<PathBuf> {
    python::environment("schemathesis", &sources().join("requirements.txt"))
}

fn sources() -> PathBuf {
    workspace_root().join("crates/xtask/schemathesis")
}

/// Schemathesis as one person, against a server of its own.
struct SchemathesisRun {
    role: &'static str,
    checker: RunningProcess,
    server: SchemathesisServer,
    home: tempfile::TempDir,
}

impl SchemathesisRun {
    fn start(role: &'static str, programs: &Path) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("chat-schemathesis-").tempdir().context("no temporary directory")?;
        let server = SchemathesisServer::start(home.path())?;
        let output = File::create(home.path().join("output"))?;
        // `timeout` ends it when it hangs.
        let mut checker = Command::new("timeout");
        checker.args(["--kill-after=5", LIMIT_SECONDS]).arg(programs.join("python")).arg(sources().join("check.py"));
        checker.env("CHAT_URL", &server.url).env("CHAT_ROLE", role).current_dir(home.path());
        for (role, sub) in PEOPLE {
            checker.env(format!("CHAT_{}", role.to_uppercase()), server.token(sub, role)?);
        }
        checker.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let checker = RunningProcess(checker.spawn().context("schemathesis cannot be started")?);
        Ok(Self { role, checker, server, home })
    }

    /// Waits for the end, and answers how many requests there were.
    fn finish(mut self) -> anyhow::Result<String> {
        let status = self.checker.0.wait()?;
        let output = fs::read_to_string(self.home.path().join("output"))?;
        if !status.success() {
            bail!("{status}\n{output}");
        }
        let complaints = self.server.complaints();
        ensure!(complaints.is_empty(), "the server logged what no client should be able to cause:\n{complaints}");
        let summary = output.lines().find(|line| line.contains(" generated, ")).unwrap_or_default();
        ensure!(!summary.is_empty(), "it ran no test:\n{output}");
        Ok(summary.trim().to_owned())
    }
}

/// A server with an SQLite database of its own, on a free port.
struct SchemathesisServer {
    url: String,
    program: PathBuf,
    home: PathBuf,
    log: PathBuf,
    _process: RunningProcess,
}

impl SchemathesisServer {
    fn start(home: &Path) -> anyhow::Result<Self> {
        let program = target_dir().join("debug/chat-server");
        let log = home.join("log");
        let mut command = command(&program, home);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "off", "--log-format", "json"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut process = RunningProcess(child.with_context(|| format!("{} cannot be started", program.display()))?);
        let lines = BufReader::new(process.0.stderr.take().context("the server has no log")?).lines();
        let mut kept = File::create(&log)?;
        let (found, address) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let parsed: Value = serde_json::from_str(&line).unwrap_or_default();
                if let Some(address) = parsed.get("address").and_then(Value::as_str) {
                    // Once it is known, the receiver is gone.
                    let _known = found.send(address.to_owned());
                }
                let _disk_is_full = writeln!(kept, "{line}");
            }
        });
        let address = address
            .recv_timeout(START_LIMIT)
            .with_context(|| format!("the server did not start:\n{}", fs::read_to_string(&log).unwrap_or_default()))?;
        Ok(Self { url: format!("http://{address}"), program, home: home.to_owned(), log, _process: process })
    }

    fn token(&self, sub: &str, role: &str) -> anyhow::Result<String> {
        let made = command(&self.program, &self.home).args(["token", "--sub", sub, "--role", role]).output()?;
        ensure!(made.status.success(), "no token: {}", String::from_utf8_lossy(&made.stderr));
        Ok(String::from_utf8(made.stdout)?.trim().to_owned())
    }

    /// The lines of the log at the levels of warnings and errors.
    fn complaints(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let is_complaint = |line: &&str| {
            let parsed: Value = serde_json::from_str(line).unwrap_or_default();
            matches!(parsed.get("level").and_then(Value::as_str), Some("WARN" | "ERROR"))
        };
        log.lines().filter(is_complaint).take(10).collect::<Vec<_>>().join("\n")
    }
}

/// The server's program with nothing of this process's environment.
fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("CHAT_DATA_DIR", home.join("data")).env("CHAT_JWT_SECRET", SECRET).current_dir(home);
    // It calls each operation far more often than a person does.
    command.envs(
        ["MESSAGES", "SESSIONS", "TYPING", "DOWNLOADS", "SOCKETS"].map(|rate| (format!("CHAT_RATE_{rate}"), "off")),
    );
    // One customer opens all sessions of a run.
    command.env("CHAT_MAX_OPEN_SESSIONS", "off");
    command
}
