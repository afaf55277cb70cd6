//! `serve`: the server itself, from its configuration to its end.

use std::io::{self, IsTerminal, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chat_http::{AccessLog, AccessLogThread, Api, HttpSettings, Server, Traces, TransportLimits, UploadSettings};
use chat_identity::DownloadTickets;
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::admin::Admin;
use crate::background::{Background, FatalFailure};
use crate::config::{Config, Switch, TokenKey, units};
use crate::descriptors::DescriptorLimits;
use crate::exclusive::FileLock;
use crate::shutdown::{
    ACCESS_LOG_LIMIT, PRESENCE_LIMIT, REQUESTS_GRACE, REQUESTS_LIMIT, SHUTDOWN_NOTICE_LIMIT, STORE_LIMIT, Signals,
    TRACES_LIMIT,
};
use crate::system::SystemClock;
use crate::telemetry::TraceExport;
use crate::tokens::{TokenMaker, TokenVerification};
use crate::wire::{self, System};
use crate::{data_dir, development, maintenance, pages, telemetry};

/// Threads for what is not a request: live events, maintenance, signals.
const BACKGROUND_THREADS: usize = 2;

/// Serves until a signal comes.
///
/// # Errors
/// What keeps the server from starting, or from going on.
pub(super) fn run(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    // Told as plain text: it is a setting that is wrong, and there is no log yet.
    config.token_key()?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .thread_name("chat-background")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let traces = telemetry::start(config, runtime.handle())?;
    let served = runtime.block_on(async {
        let served = serve(config, traces.as_ref().map(TraceExport::requests), out).await;
        if let Some(traces) = traces {
            traces.stop(TRACES_LIMIT).await;
        }
        served
    });
    // Blocking work that still hangs is not waited for: whatever was acknowledged is durable.
    runtime.shutdown_background();
    served
}

/// A server that accepts requests, with what it stands on.
struct RunningServer {
    server: Server,
    background: Background,
    /// Connects this node to the others until all that was accepted is published.
    fanout: Background,
    system: System,
    admin: Option<Admin>,
    access_log: Option<AccessLogThread>,
    /// Held until the store is closed.
    _database: Option<FileLock>,
}

async fn serve(config: &Config, traces: Traces, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let mut running = tokio::select! {
        running = start(config, traces, out) => running?,
        // A start may take long, when it migrates much; a migration that is cut off leaves nothing behind.
        name = signals.next() => {
            tracing::info!(signal = name, "stopped by {name} before the start was complete");
            return Ok(());
        }
    };
    let failure = running.until_end(&mut signals).await;
    // A server that has lost one of its parts does not go on for the sake of a load balancer.
    let delay = if failure.is_some() { Duration::ZERO } else { config.drain_delay };
    signals.limit_shutdown(delay);
    let failure = match failure {
        Some(failure) => Some(failure),
        None => running.drain(delay).await,
    };
    running.stop().await;
    tracing::info!("stopped");
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(()),
    }
}

async fn start(config: &Config, traces: Traces, out: &mut dyn Write) -> anyhow::Result<RunningServer> {
    let listener = TcpListener::bind(config.listen).with_context(|| {
        format!("cannot listen on {}; choose another address with --listen (CHAT_LISTEN)", config.listen)
    })?;
    // First of all that does something: what counts takes its handle from here.
    let admin = Admin::start(config.admin_listen)?;
    let room = DescriptorLimits::make(config);
    data_dir::make(&config.data_dir)?;
    // Before anything is written to the database: without keys the server refuses to start.
    let tokens = TokenVerification::open(config, Arc::new(SystemClock)).await?;
    let database = wire::hold_database(config)?;
    let mut system = System::assemble(config).await?;
    let mut fanout = Background::default();
    for (name, task) in system.take_fanout_tasks() {
        fanout.spawn(name, task);
    }
    let is_development = matches!(config.token_key()?, TokenKey::Development);
    if is_development {
        development::enter_agent(system.agents.as_ref(), system.clock.now()).await?;
    }
    let mut probes = system.probes.clone();
    probes.extend(tokens.key_set.clone().map(|keys| keys as _));
    let (access_log, access_log_thread) = start_access_log(config.access_log)?;
    let tokens_of_people = if is_development { Some(Arc::new(TokenMaker::new(config)?)) } else { None };
    let people = tokens_of_people.clone().map(|tokens| development::people(tokens, Arc::clone(&system.clock)));
    let api = Api {
        service: system.service.clone(),
        clock: system.clock.clone(),
        tokens: tokens.verifier,
        download_tickets: DownloadTickets::new(Arc::clone(&system.signing_keys)),
        probes,
        settings: HttpSettings {
            public_url: config.public_url.clone(),
            origins: config.cors_origins.clone(),
            transport: transport_limits(config, room),
            proxies: config.proxies.settings(),
            connections_per_address: config.rates.connections_per_address.limit(),
            rates: config.rates.settings(),
            refuse_forwarded: is_development,
            page_cache_bytes: usize::try_from(config.page_cache).unwrap_or(usize::MAX),
            uploads: UploadSettings {
                per_person: usize::from(config.uploads_per_person),
                per_node: usize::from(config.uploads_per_node),
                ..UploadSettings::default()
            },
            ..HttpSettings::default()
        },
        access_log,
        traces,
        mounts: pages::mounts(config, people),
    };
    let server = Server::start(listener, api, config.workers).context("cannot start to serve")?;
    let addr = server.addr();
    tracing::info!(address = %addr, version = env!("CARGO_PKG_VERSION"), "listening on http://{addr}");
    if let Some(tokens) = tokens_of_people {
        let greeted = development::greeting(addr, config, &tokens, system.clock.now())
            .and_then(|greeting| development::greet(&greeting, io::stdout().is_terminal(), &config.data_dir, out));
        if let Err(error) = greeted {
            // It serves all the same.
            tracing::warn!("cannot tell how to begin: {error:#}");
        }
    }
    let mut background = maintenance::start(&system, config.orphan_check_every, admin.as_ref().map(Admin::metrics));
    if let Some(keys) = tokens.key_set {
        background.spawn("refresh of the key set", async move { keys.keep_current().await });
    }
    Ok(RunningServer { server, background, fanout, system, admin, access_log: access_log_thread, _database: database })
}

/// What connections may take, where it follows from the configuration and the limit of open files.
fn transport_limits(config: &Config, room: DescriptorLimits) -> TransportLimits {
    let defaults = TransportLimits::default();
    // Twice the largest message, so that a message that is refused for its size is covered too.
    let proxy_drain_bytes = defaults.proxy_drain_bytes.max(config.max_message_size.saturating_mul(2));
    TransportLimits { connections: room.http, sockets: room.sockets, proxy_drain_bytes, ..defaults }
}

/// Begins to write a line for each request to standard output, if the operator wants it.
fn start_access_log(wanted: Switch) -> anyhow::Result<(Option<AccessLog>, Option<AccessLogThread>)> {
    match wanted {
        Switch::Off => Ok((None, None)),
        Switch::On => {
            let (log, thread) = AccessLog::start(io::stdout()).context("cannot start the access log")?;
            Ok((Some(log), Some(thread)))
        }
    }
}

impl RunningServer {
    /// Waits for a signal, or for a reason why the server cannot go on.
    async fn until_end(&mut self, signals: &mut Signals) -> Option<FatalFailure> {
        tokio::select! {
            name = signals.next() => {
                tracing::info!(signal = name, "shutting down after {name}");
                None
            }
            failure = either(&mut self.background, &mut self.fanout) => {
                // The error is reported at the end, with the exit code.
                tracing::warn!("shutting down: {failure}");
                Some(failure)
            }
        }
    }

    /// Returns 503 from `/readyz` and serves on for `delay`, or until there is a reason why it cannot.
    async fn drain(&mut self, delay: Duration) -> Option<FatalFailure> {
        self.server.drain();
        if delay.is_zero() {
            return None;
        }
        tracing::info!("not ready from now on; the listener closes in {}", units::show_duration(delay));
        tokio::select! {
            () = sleep(delay) => None,
            failure = either(&mut self.background, &mut self.fanout) => {
                tracing::warn!("the listener closes at once: {failure}");
                Some(failure)
            }
        }
    }

    /// Ends everything in an order in which nothing that was accepted is lost.
    async fn stop(self) {
        let Self { server, background, fanout, system, admin, access_log, _database } = self;
        server.drain();
        system.end_streams();
        // The store is closed whether or not the server keeps to its limit.
        if timeout(REQUESTS_LIMIT + REQUESTS_GRACE, server.stop(REQUESTS_LIMIT)).await.is_err() {
            tracing::error!("requests were still open after {} s and could not be dropped", REQUESTS_LIMIT.as_secs());
        }
        drop(background);
        system.report_presence(PRESENCE_LIMIT).await;
        if let Ok(notice) = timeout(STORE_LIMIT, system.close()).await {
            if timeout(SHUTDOWN_NOTICE_LIMIT, notice.send()).await.is_err() {
                tracing::warn!("other nodes were not notified in time that this node stops");
            }
        } else {
            tracing::error!("the store did not close within {} s", STORE_LIMIT.as_secs());
        }
        drop(fanout);
        if let Some(log) = access_log {
            let _it_ends_with_the_process = spawn_blocking(move || log.stop(ACCESS_LOG_LIMIT)).await;
        }
        if let Some(admin) = admin {
            admin.stop().await;
        }
    }
}

/// The first failure of these tasks or those.
async fn either(these: &mut Background, those: &mut Background) -> FatalFailure {
    tokio::select! {
        failure = these.failure() => failure,
        failure = those.failure() => failure,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches};

    use super::*;
    use crate::config::Options;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_that_panics_ends_the_server() {
        let home = tempfile::tempdir().unwrap();
        let data_dir = home.path().to_str().unwrap();
        let arguments = ["test", "--data-dir", data_dir, "--listen", "127.0.0.1:0", "--admin-listen", "off"];
        let matches = Options::augment_args(Command::new("test")).get_matches_from(arguments);
        let config = Config::load(Options::from_arg_matches(&matches).unwrap()).unwrap();
        let mut signals = Signals::catch().unwrap();
        let mut running = start(&config, None, &mut Vec::new()).await.unwrap();
        running.background.spawn("task of the test", async { panic!("the test says so") });
        let failure = timeout(STORE_LIMIT, running.until_end(&mut signals)).await.unwrap();
        assert_eq!(failure, Some(FatalFailure::Panicked("task of the test")));
        running.stop().await;
    }
}
