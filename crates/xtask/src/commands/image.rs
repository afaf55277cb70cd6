//! `cargo xtask image`: the steps of `docs/deployment/Dockerfile` without a container engine, and a node in what they make.
//!
//! The commands are those of the Dockerfile itself. Their result is a directory, which is entered with `chroot` under the
//! account of the image: so what is missing there is missing in the image.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, ensure};
use serde_json::Value;
use test_servers::postgres::PrivatePostgres;

use crate::dockerfile::Dockerfile;
use crate::postgres::as_root;
use crate::step::{Plan, cargo, workspace_root};
use crate::{libpq, postgres};

const DOCKERFILE: &str = "docs/deployment/Dockerfile";
/// The program and the tree, as the Dockerfile calls them.
const PROGRAM: &str = "target/release/chat-server";
const TREE: &str = "/tree";
/// The largest that the tree of a release may be.
const MOST_BYTES: u64 = 60 * MEGABYTE;
const MEGABYTE: u64 = 1_000_000;
/// What no image needs, and what an attacker would look for first.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "busybox", "perl", "python3"];
const SECRET: &str = "only-for-the-throwaway-node-of-this-task";

/// Runs the steps of `docs/deployment/Dockerfile` in a directory, and a node in it: it migrates and serves a PostgreSQL that
/// requires TLS, passes the health check of the image, and ends.
///
/// It needs root, or a sudo that asks nothing, for `chroot`. A release build takes some minutes.
#[derive(clap::Args)]
pub(crate) struct Image {
    /// A program that is built already, in place of a release build; how large the tree is does not count then.
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Keep the tree in this directory, which must not exist.
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
}

impl Image {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        run(self.program.as_deref(), self.keep.as_deref())
    }
}

/// As the command does.
///
/// # Errors
/// A step fails, or the node does not do what it should.
pub(crate) fn run(program: Option<&Path>, keep: Option<&Path>) -> anyhow::Result<()> {
    libpq::find_or_install()?;
    postgres::find_or_install()?;
    let dockerfile = Dockerfile::parse(&fs::read_to_string(workspace_root().join(DOCKERFILE))?)?;
    let home = tempfile::Builder::new().prefix("chat-image-").tempdir().context("no temporary directory")?;
    let image = Tree(home.path().join("image"));
    build(&dockerfile, program, home.path(), &image)?;
    let bytes = image.bytes()?;
    println!("[image] the tree has {} MB", bytes / MEGABYTE);
    ensure!(program.is_some() || bytes <= MOST_BYTES, "the tree is larger than {} MB", MOST_BYTES / MEGABYTE);
    image.has_no_shell()?;
    serve(&dockerfile, &image)?;
    if let Some(keep) = keep {
        succeed(as_root()?.args(["cp", "--archive"]).arg(&image.0).arg(keep))?;
    }
    Ok(())
}

/// Runs the steps of the stage `build`, and copies what the image takes from it.
fn build(dockerfile: &Dockerfile, program: Option<&Path>, home: &Path, image: &Tree) -> anyhow::Result<()> {
    let collected = Tree(home.join("tree"));
    let mut plan = Plan::new("image");
    for step in &dockerfile.build {
        if let Some(arguments) = step.strip_prefix("cargo ") {
            if program.is_none() {
                let mut compile = cargo::<0>([]);
                compile.args(arguments.split_whitespace());
                plan.add("compile", compile);
            }
        } else if step.contains("apt-get") {
            // What it installs is found or installed like everything that a task needs.
            for package in libpq::PACKAGES {
                ensure!(step.contains(package), "`{step}` does not install {package}");
            }
        } else {
            let program = program.unwrap_or(Path::new(PROGRAM));
            ensure!(step.contains(PROGRAM) && step.ends_with(TREE), "`{step}` does not make {TREE} of {PROGRAM}");
            let words = step.split_whitespace().map(|word| match word {
                PROGRAM => program.as_os_str(),
                TREE => collected.0.as_os_str(),
                word => OsStr::new(word),
            });
            let mut collect = as_root()?;
            collect.current_dir(workspace_root()).args(words);
            plan.add("collect the files", collect);
        }
    }
    plan.run()?;
    for copied in &dockerfile.copies {
        let rest = copied.from.strip_prefix(TREE).context("the image takes something else than the tree")?;
        let (from, to) = (collected.inside(rest), image.inside(&copied.to));
        succeed(as_root()?.args(["mkdir", "--parents"]).arg(&to))?;
        succeed(as_root()?.args(["cp", "--archive"]).arg(from.join(".")).arg(&to))?;
        if let Some(owner) = &copied.owner {
            succeed(as_root()?.args(["chown", "--recursive", owner]).arg(&to))?;
        }
    }
    Ok(())
}

/// Lets a node migrate, serve and end in the tree.
fn serve(dockerfile: &Dockerfile, image: &Tree) -> anyhow::Result<()> {
    let server = PrivatePostgres::start_encrypted(postgres::SETTINGS).context("no PostgreSQL server with TLS")?;
    let authority = server.authority().context("the server has no certificate")?;
    // What a container engine provides: names of hosts, and a mounted file.
    image.write("/etc/hosts", "127.0.0.1 localhost\n")?;
    image.write("/run/authority.pem", &fs::read_to_string(&authority)?)?;
    let database = server.admin_url().replace(&authority.display().to_string(), "/run/authority.pem");
    let inside = |listen: &str, command: &[String]| {
        // Nothing of this process's environment; what the image sets, and then what its operator would.
        let mut words = vec!["env".to_owned(), "--ignore-environment".to_owned()];
        words.push("PATH=/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        words.extend(dockerfile.variables.iter().map(|(name, value)| format!("{name}={value}")));
        words.extend(["CHAT_ADMIN_LISTEN=127.0.0.1:0", "CHAT_MIGRATE=off"].map(str::to_owned));
        words.push(format!("CHAT_LISTEN={listen}"));
        words.push(format!("CHAT_DATABASE_URL={database}"));
        words.push(format!("CHAT_JWT_SECRET={SECRET}"));
        words.extend(["chroot".to_owned(), format!("--userspec={}", dockerfile.user), image.0.display().to_string()]);
        words.extend(command.iter().cloned());
        words
    };
    let any = "127.0.0.1:0";
    let migrate = [&dockerfile.entrypoint[..], &["migrate".to_owned(), "up".to_owned()]].concat();
    succeed(as_root()?.args(inside(any, &migrate)))?;

    let node = ImageNode::start(&inside(any, &dockerfile.entrypoint))?;
    let healthcheck = inside(&node.address, &dockerfile.healthcheck);
    succeed(as_root()?.args(&healthcheck)).context("the health check of the image fails")?;
    let status = fs::read_to_string(format!("/proc/{}/status", node.process))?;
    let account = dockerfile.user.split(':').next().unwrap_or_default();
    let runs_as = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    ensure!(runs_as.split_whitespace().all(|id| id == account), "the node runs as{runs_as}, and not as {account}");
    node.end()?;
    ensure!(output(as_root()?.args(&healthcheck)).is_err(), "the health check passes without a node");
    println!("[image] a node in it migrated, served a PostgreSQL that requires TLS, was healthy, and ended");
    Ok(())
}

/// A directory that root fills. It goes with the value.
struct Tree(PathBuf);

impl Tree {
    /// A path as seen from the directory, which is its `/`.
    fn inside(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    fn bytes(&self) -> anyhow::Result<u64> {
        let size = output(as_root()?.args(["du", "--summarize", "--bytes"]).arg(&self.0))?;
        size.split_whitespace().next().and_then(|bytes| bytes.parse().ok()).context("du wrote no number")
    }

    fn has_no_shell(&self) -> anyhow::Result<()> {
        let mut find = as_root()?;
        find.arg("find").arg(&self.0).args(["-name", "chat-server", "-type", "f"]);
        for shell in SHELLS {
            find.args(["-o", "-name", shell]);
        }
        let found = output(&mut find)?;
        let program = self.inside("usr/local/bin/chat-server").display().to_string();
        ensure!(found.lines().eq([program.as_str()]), "the tree has {found}");
        Ok(())
    }

    fn write(&self, path: &str, content: &str) -> anyhow::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(&file, content)?;
        succeed(as_root()?.args(["install", "-D", "--mode=0644"]).arg(file.path()).arg(self.inside(path)))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Ok(mut remove) = as_root() {
            let _best_effort = remove.args(["rm", "--recursive", "--force"]).arg(&self.0).status();
        }
    }
}

/// Ends the node when its input ends: when that is closed, or this process is gone, however it ended. It is root's, so it
/// cannot be ended by its id everywhere.
const SUPERVISOR: &str = r#"
"$@" &
node=$!
echo "$node"
cat
kill -TERM "$node"
wait "$node"
"#;

/// A running node.
struct ImageNode {
    supervisor: Child,
    process: String,
    address: String,
}

impl ImageNode {
    fn start(words: &[String]) -> anyhow::Result<Self> {
        let mut supervisor = as_root()?;
        supervisor.args(["sh", "-c", SUPERVISOR, "supervisor"]).args(words);
        supervisor.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut supervisor = supervisor.spawn().context("the node cannot be started")?;
        let (output, log) = (supervisor.stdout.take(), supervisor.stderr.take());
        let mut process = String::new();
        BufReader::new(output.context("no output")?).read_line(&mut process)?;
        let address = address(log.context("no log")?)?;
        Ok(Self { supervisor, process: process.trim().to_owned(), address })
    }

    /// Ends it as an orchestrator does.
    fn end(mut self) -> anyhow::Result<()> {
        drop(self.supervisor.stdin.take());
        let status = self.supervisor.wait()?;
        ensure!(status.success(), "the node did not end well: {status}");
        Ok(())
    }
}

/// The address in the log of a node. What follows is read too, so that the node never waits for its reader.
fn address(log: impl Read + Send + 'static) -> anyhow::Result<String> {
    let mut log = BufReader::new(log);
    let mut lines = String::new();
    loop {
        let from = lines.len();
        ensure!(log.read_line(&mut lines)? > 0, "the node did not start:\n{lines}");
        let line: Value = serde_json::from_str(lines.get(from..).unwrap_or_default()).unwrap_or_default();
        if let Some(address) = line.get("address").and_then(Value::as_str) {
            thread::spawn(move || io::copy(&mut log, &mut io::sink()));
            return Ok(address.to_owned());
        }
    }
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    output(command).map(drop)
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?} cannot be started"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{command:?} failed: {} {said}", done.status);
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
