//! `serve`: the server itself, from its configuration to its end.

use std::io::{self, IsTerminal, Write};
use std::net::TcpListener;

use anyhow::Context;
use chat_http::{Api, HttpSettings, Server, TransportLimits, UploadSettings};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::admin::Admin;
use crate::background::{Background, Failure};
use crate::config::{Config, TokenKey};
use crate::descriptors::Room;
use crate::exclusive::Held;
use crate::shutdown::{FAREWELL_LIMIT, REQUESTS_GRACE, REQUESTS_LIMIT, STORE_LIMIT, Signals};
use crate::tokens::TokenMaker;
use crate::wire::{self, System};
use crate::{data_dir, development, maintenance, telemetry};

/// Threads for what is not a request: live events, maintenance, signals.
const BACKGROUND_THREADS: usize = 2;

/// Serves until a signal comes.
///
/// # Errors
/// What keeps the server from starting, or from going on.
pub(super) fn run(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    // Told as plain text: it is a setting that is wrong, and there is no log yet.
    config.token_key()?;
    telemetry::start(config)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .thread_name("chat-background")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let served = runtime.block_on(serve(config, out));
    // Blocking work that still hangs is not waited for: whatever was acknowledged is durable.
    runtime.shutdown_background();
    served
}

/// A server that accepts requests, with what it stands on.
struct Running {
    server: Server,
    background: Background,
    system: System,
    admin: Option<Admin>,
    /// Held until the store is closed.
    _database: Option<Held>,
}

async fn serve(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let mut running = tokio::select! {
        running = start(config, out) => running?,
        // A start may take long, when it migrates much; a migration that is cut off leaves nothing behind.
        name = signals.next() => {
            tracing::info!(signal = name, "stopped by {name} before the start was complete");
            return Ok(());
        }
    };
    let failure = running.until_end(&mut signals).await;
    signals.limit_shutdown();
    running.stop().await;
    tracing::info!("stopped");
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(()),
    }
}

async fn start(config: &Config, out: &mut dyn Write) -> anyhow::Result<Running> {
    let tokens = TokenMaker::new(config)?;
    let listener = TcpListener::bind(config.listen).with_context(|| {
        format!("cannot listen on {}; choose another address with --listen (CHAT_LISTEN)", config.listen)
    })?;
    // First of all that does something: what counts takes its handle from here.
    let admin = Admin::start(config.admin_listen)?;
    let room = Room::make(config);
    data_dir::make(&config.data_dir)?;
    let database = wire::hold_database(config)?;
    let system = System::assemble(config).await?;
    let is_development = matches!(config.token_key()?, TokenKey::Development);
    if is_development {
        development::enter_agent(system.agents.as_ref(), system.clock.now()).await?;
    }
    let api = Api {
        service: system.service.clone(),
        clock: system.clock.clone(),
        tokens: tokens.verifier(),
        probes: system.probes.clone(),
        settings: HttpSettings {
            public_url: config.public_url.clone(),
            origins: config.cors_origins.clone(),
            transport: TransportLimits { connections: room.http, sockets: room.sockets, ..TransportLimits::default() },
            refuse_forwarded: is_development,
            page_cache_bytes: usize::try_from(config.page_cache).unwrap_or(usize::MAX),
            uploads: UploadSettings {
                per_person: usize::from(config.uploads_per_person),
                per_node: usize::from(config.uploads_per_node),
                ..UploadSettings::default()
            },
            ..HttpSettings::default()
        },
    };
    let server = Server::start(listener, api, config.workers).context("cannot start to serve")?;
    let addr = server.addr();
    tracing::info!(address = %addr, version = env!("CARGO_PKG_VERSION"), "listening on http://{addr}");
    if is_development {
        let greeted = development::greeting(addr, &config.data_dir, &tokens, system.clock.now())
            .and_then(|greeting| development::greet(&greeting, io::stdout().is_terminal(), &config.data_dir, out));
        if let Err(error) = greeted {
            // It serves all the same.
            tracing::warn!("cannot tell how to begin: {error:#}");
        }
    }
    let background = maintenance::start(&system, config.orphan_check_every, admin.as_ref().map(Admin::metrics));
    Ok(Running { server, background, system, admin, _database: database })
}

impl Running {
    /// Waits for a signal, or for a reason why the server cannot go on.
    async fn until_end(&mut self, signals: &mut Signals) -> Option<Failure> {
        tokio::select! {
            name = signals.next() => {
                tracing::info!(signal = name, "shutting down after {name}");
                None
            }
            failure = self.background.failure() => {
                // The error is told at the end, with the exit code.
                tracing::warn!("shutting down: {failure}");
                Some(failure)
            }
        }
    }

    /// Ends everything in an order in which nothing that was accepted is lost.
    async fn stop(self) {
        let Self { server, background, system, admin, _database } = self;
        server.drain();
        system.end_streams();
        // The store is closed whether or not the server keeps to its limit.
        if timeout(REQUESTS_LIMIT + REQUESTS_GRACE, server.stop(REQUESTS_LIMIT)).await.is_err() {
            tracing::error!("requests were still open after {} s and could not be dropped", REQUESTS_LIMIT.as_secs());
        }
        drop(background);
        if let Ok(farewell) = timeout(STORE_LIMIT, system.close()).await {
            if timeout(FAREWELL_LIMIT, farewell.say()).await.is_err() {
                tracing::warn!("the other servers could not be told in time that this one stops");
            }
        } else {
            tracing::error!("the store did not close within {} s", STORE_LIMIT.as_secs());
        }
        if let Some(admin) = admin {
            admin.stop().await;
        }
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
        let mut running = start(&config, &mut Vec::new()).await.unwrap();
        running.background.spawn("task of the test", async { panic!("the test says so") });
        let failure = timeout(STORE_LIMIT, running.until_end(&mut signals)).await.unwrap();
        assert_eq!(failure, Some(Failure::Panicked("task of the test")));
        running.stop().await;
    }
}
