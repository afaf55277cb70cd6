//! Options that several subcommands share.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{RunVerdict, note};
use crate::api_client::ApiClient;
use crate::error::LoadError;
use crate::fleet::{FleetPlan, Reading, SOCKETS_OF_A_PERSON};
use crate::http::Target;
use crate::load::{LoadPlan, LoadRequests, StopAfter};
use crate::measure::{CpuMeter, print_report};
use crate::socket::{ClientSocketMode, path};
use crate::token::{TokenRole, Tokens};
use crate::token_signer::{SignedClaims, TokenSigner};
use crate::units;

/// The service, and in whose name it is called.
#[derive(Debug, Args)]
pub(super) struct ServiceOptions {
    /// The service's base URL.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = Target::parse)]
    pub(super) url: Target,
    #[command(flatten)]
    pub(super) tokens: TokenOptions,
    /// How long a response may take.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    pub(super) timeout: Duration,
}

impl ServiceOptions {
    pub(super) fn client(&self, token: String) -> ApiClient {
        ApiClient::new(self.url.clone(), token, self.timeout)
    }
}

/// In whose name the service is called.
#[derive(Debug, Args)]
pub(super) struct TokenOptions {
    #[command(flatten)]
    caller: CallerOptions,
    /// The `kid` of tokens that are signed, the id of the key.
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// The `iss` of tokens that are signed.
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    /// The `aud` of tokens that are signed.
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
}

/// Exactly one of these names the caller. Whether one is there is checked when it is needed: a saved history needs
/// none.
#[derive(Args)]
#[group(multiple = false)]
struct CallerOptions {
    /// A bearer token, used for every request.
    #[arg(long, value_name = "TOKEN", env = "CHAT_LOADGEN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The secret of the service, to sign HS256 tokens for as many people as the run needs.
    #[arg(long, value_name = "SECRET", env = "CHAT_LOADGEN_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// A file with that secret, such as `development-secret` in the service's data directory.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// A file with a private key in PEM, to sign tokens with ES256 or RS256; the service has the public one.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl std::fmt::Debug for CallerOptions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither a token nor a secret belongs into a log.
        out.debug_struct("CallerOptions").field("secret_file", &self.secret_file).finish_non_exhaustive()
    }
}

impl TokenOptions {
    pub(super) fn tokens(&self) -> Result<Tokens, LoadError> {
        let CallerOptions { token, secret, secret_file, key_file } = &self.caller;
        if let Some(token) = token {
            return Ok(Tokens::Given(token.clone()));
        }
        let claims =
            SignedClaims { key_id: self.key_id.clone(), issuer: self.issuer.clone(), audience: self.audience.clone() };
        if let Some(file) = key_file {
            return Ok(Tokens::Signed(TokenSigner::private_key(&read_file(file)?, claims)?));
        }
        let secret = match (secret, secret_file) {
            (Some(secret), _) => secret.clone(),
            (None, Some(file)) => read_file(file)?,
            (None, None) => {
                return Err(LoadError::setup(
                    "no caller is named: give --token, or --secret, --secret-file or --key-file to sign tokens with, \
                     such as --secret-file chat-data/development-secret",
                ));
            }
        };
        Ok(Tokens::Signed(TokenSigner::secret(secret.trim().as_bytes(), claims)))
    }
}

/// How the result is shown.
#[derive(Debug, Args)]
pub(super) struct OutputOptions {
    /// Print the figures as one JSON object.
    #[arg(long)]
    pub(super) json: bool,
    /// No line of progress each second.
    #[arg(long)]
    pub(super) quiet: bool,
}

impl OutputOptions {
    /// Writes a line each second, unless it is to be quiet.
    pub(super) fn progress(&self) -> impl FnMut(Duration, String) + use<> {
        let quiet = self.quiet;
        move |at, line| {
            if !quiet {
                note(&format!("{:>6.1} s {line}", at.as_secs_f64()));
            }
        }
    }
}

/// A switch that is on unless it is set to off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OnOff {
    On,
    Off,
}

/// How much load, for how long.
#[derive(Debug, Args)]
pub(super) struct LoadOptions {
    /// Connections at the same time.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    connections: usize,
    /// Threads that serve them. One is enough for most services and leaves them the other cores.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = units::count)]
    threads: usize,
    /// How long the measured part takes.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    duration: Duration,
    /// Ends after this many measured requests instead.
    #[arg(long, value_name = "NUMBER", conflicts_with = "duration", value_parser = units::requests)]
    requests: Option<u64>,
    /// Load before the measured part.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::duration_or_zero)]
    warmup: Duration,
    /// Requests per second on a fixed schedule (open loop). Without it, each connection sends its next request when
    /// it has the response to the last one (closed loop).
    #[arg(long, value_name = "RATE", value_parser = units::rate)]
    rate: Option<f64>,
    /// The service's process on this machine, to report its processor time per request.
    #[arg(long, value_name = "PID")]
    pub(super) server_pid: Option<u32>,
    #[command(flatten)]
    output: OutputOptions,
}

impl LoadOptions {
    /// Runs the load and prints its figures. Without a single success the verdict is bad.
    pub(super) fn run(
        &self,
        command: &'static str,
        service: &ServiceOptions,
        requests: LoadRequests,
    ) -> Result<RunVerdict, LoadError> {
        let plan = LoadPlan {
            command,
            target: service.url.clone(),
            requests,
            connections: self.connections,
            threads: self.threads.min(self.connections),
            warmup: self.warmup,
            stop: self.requests.map_or(StopAfter::Time(self.duration), StopAfter::Requests),
            rate: self.rate,
            timeout: service.timeout,
            server: self.server_pid,
        };
        let report = crate::load::run(plan, self.output.progress())?;
        print_report(&report, self.output.json)?;
        if report.succeeded == 0 {
            let statuses = listed(report.statuses.iter().map(|(status, count)| (status.as_str(), *count)));
            let failures = listed(report.failures.iter().map(|(failure, count)| (*failure, *count)));
            note(&format!("no request succeeded: responses {statuses}; without a response {failures}"));
        }
        Ok(RunVerdict(report.succeeded > 0))
    }
}

/// Sockets, and in whose names they are.
#[derive(Debug, Args)]
pub(super) struct SocketOptions {
    #[command(flatten)]
    pub(super) service: ServiceOptions,
    /// A further node of the service; may be given several times. Sockets begin at all nodes in turn.
    #[arg(long, value_name = "URL", value_parser = Target::parse)]
    node_url: Vec<Target>,
    /// Sockets at the same time, spread over the sessions.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    pub(super) sockets: usize,
    /// The protocol.
    #[arg(long, value_enum, default_value = "extended")]
    pub(super) mode: ClientSocketMode,
    /// How many sessions to subscribe to: the newest that the caller may see.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    pub(super) sessions: usize,
    /// Subscribes to these sessions instead, one id a line.
    #[arg(long, value_name = "FILE", conflicts_with = "sessions")]
    session_ids_file: Option<PathBuf>,
    /// Opens the sockets at this path instead, which need not be the service's; such as /ws of the comparison in the
    /// benchmarks.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["sessions", "session_ids_file"])]
    path: Option<String>,
    /// Handshakes at the same time.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    at_once: usize,
    /// The subject of the tokens of admins that are signed, when there is a secret: one for each ten sockets. A number
    /// is added from the second one on.
    #[arg(long, value_name = "SUBJECT", default_value = "load-socket")]
    sub: String,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

impl SocketOptions {
    /// The first of the tokens.
    pub(super) fn token(&self) -> Result<String, LoadError> {
        self.service.tokens.tokens()?.of(&self.sub, TokenRole::Admin)
    }

    async fn paths(&self) -> Result<Vec<String>, LoadError> {
        if let Some(path) = &self.path {
            return Ok(vec![path.clone()]);
        }
        Ok(self.session_ids().await?.iter().map(|session| path(session, "")).collect())
    }

    /// The sessions to subscribe to.
    pub(super) async fn session_ids(&self) -> Result<Vec<String>, LoadError> {
        let sessions = match &self.session_ids_file {
            Some(file) => session_ids(file)?,
            None => self.service.client(self.token()?).list_sessions(self.sessions).await?,
        };
        if sessions.is_empty() {
            return Err(LoadError::setup("there is no session to subscribe to: open some with `chat-loadgen send`"));
        }
        Ok(sessions)
    }

    /// A fleet of these sockets, which are read and opened once.
    pub(super) async fn fleet(&self) -> Result<FleetPlan, LoadError> {
        let paths = self.paths().await?;
        self.fleet_at(paths)
    }

    /// The same at these paths.
    pub(super) fn fleet_at(&self, paths: Vec<String>) -> Result<FleetPlan, LoadError> {
        let tokens = if self.path.is_some() {
            vec![String::new()]
        } else {
            FleetPlan::tokens_for(&self.service.tokens.tokens()?, TokenRole::Admin, &self.sub, self.sockets)?
        };
        Ok(FleetPlan {
            nodes: std::iter::once(&self.service.url).chain(&self.node_url).cloned().collect(),
            tokens,
            sockets_of_a_person: SOCKETS_OF_A_PERSON,
            paths,
            sockets: self.sockets,
            mode: self.mode,
            reading: Reading::Events,
            acknowledge: false,
            reopen: false,
            at_once: self.at_once,
            timeout: self.service.timeout,
            multiplexed: None,
        })
    }
}

/// Refuses a `--server-pid` that names no process, before anything is sent.
pub(super) fn check_server_pid(pid: Option<u32>) -> Result<(), LoadError> {
    match pid {
        Some(pid) if CpuMeter::of(pid).elapsed().is_none() => Err(LoadError::setup(format!(
            "--server-pid {pid}: there is no such process on this machine, or its processor time cannot be read"
        ))),
        _ => Ok(()),
    }
}

/// Counts in words: those above zero, or `none`.
fn listed<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let shown: Vec<String> =
        counts.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name}: {count}")).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

pub(super) fn read_file(file: &Path) -> Result<String, LoadError> {
    fs::read_to_string(file).map_err(LoadError::io(format!("read {}", file.display())))
}

/// Ids of sessions, one a line.
pub(super) fn session_ids(file: &Path) -> Result<Vec<String>, LoadError> {
    let ids: Vec<String> = read_file(file)?.split_whitespace().map(str::to_owned).collect();
    let fits = |id: &String| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    match ids.iter().find(|id| !fits(id)) {
        Some(wrong) => Err(LoadError::setup(format!("{} has {wrong:?}, which is no session id", file.display()))),
        None if ids.is_empty() => Err(LoadError::setup(format!("{} has no session id", file.display()))),
        None => Ok(ids),
    }
}

/// What no other run has in its idempotency keys and names: random, 16 hexadecimal digits.
pub(super) fn run_name() -> String {
    // The standard library's own source of randomness; nothing here needs a better one.
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
