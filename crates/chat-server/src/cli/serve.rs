//! `serve`: the server itself, from its configuration to its end.

use std::io::Write;
use std::net::TcpListener;

use anyhow::Context;
use chat_http::{Api, HttpSettings, Server};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::admin::Admin;
use crate::config::{Config, TokenKey};
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
/// What keeps the server from starting.
pub(super) fn run(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
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
    maintenance: JoinSet<()>,
    system: System,
    admin: Option<Admin>,
    /// Held until the store is closed.
    _database: Option<Held>,
}

async fn serve(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let running = tokio::select! {
        running = start(config, out) => running?,
        // A start may take long, when it migrates much; a migration that is cut off leaves nothing behind.
        name = signals.next() => {
            tracing::info!(signal = name, "stopped by {name} before the start was complete");
            return Ok(());
        }
    };
    signals.wait().await;
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

async fn start(config: &Config, out: &mut dyn Write) -> anyhow::Result<Running> {
    let tokens = TokenMaker::new(config)?;
    let listener = TcpListener::bind(config.listen).with_context(|| {
        format!("cannot listen on {}; choose another address with --listen (CHAT_LISTEN)", config.listen)
    })?;
    // First of all that does something: what counts takes its handle from here.
    let admin = Admin::start(config.admin_listen)?;
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
            page_cache_bytes: usize::try_from(config.page_cache).unwrap_or(usize::MAX),
            ..HttpSettings::default()
        },
    };
    let server = Server::start(listener, api, config.workers).context("cannot start to serve")?;
    let addr = server.addr();
    tracing::info!(address = %addr, version = env!("CARGO_PKG_VERSION"), "listening on http://{addr}");
    if is_development && let Err(error) = development::greet(out, addr, &config.data_dir, &tokens, system.clock.now()) {
        // It serves all the same, even where nobody reads its standard output.
        tracing::warn!("cannot print how to begin: {error:#}");
    }
    let maintenance = maintenance::start(&system, admin.as_ref().map(Admin::metrics));
    Ok(Running { server, maintenance, system, admin, _database: database })
}

impl Running {
    /// Ends everything in an order in which nothing that was accepted is lost.
    async fn stop(self) {
        let Self { server, maintenance, system, admin, _database } = self;
        server.drain();
        system.end_streams();
        // The store is closed whether or not the server keeps to its limit.
        if timeout(REQUESTS_LIMIT + REQUESTS_GRACE, server.stop(REQUESTS_LIMIT)).await.is_err() {
            tracing::error!("requests were still open after {} s and could not be dropped", REQUESTS_LIMIT.as_secs());
        }
        drop(maintenance);
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
