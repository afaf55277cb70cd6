//! Runs the API on a listener.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use tracing_actix_web::TracingLogger;

use crate::Api;
use crate::metering::RequestMetrics;
use crate::middleware::{RequestSpan, cors, finish, measure};
use crate::routes;
use crate::state::State;

/// How long a client may take to send the headers of a request.
const HEADER_LIMIT: Duration = Duration::from_secs(15);
/// How long a connection may stay open between requests.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long actix itself waits for open connections; `Server::stop` has its own, shorter limit.
const DRAIN_SECONDS: u64 = 30;

/// A running server.
pub struct Server {
    handle: ServerHandle,
    addr: SocketAddr,
    draining: Arc<AtomicBool>,
    finished: tokio::task::JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts to serve on `listener` with `workers` threads. It needs a tokio runtime around it, which the adapters'
    /// background work runs on. What it counts goes to the recorder that the process has by then.
    pub fn start(listener: TcpListener, api: Api, workers: usize) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let draining = Arc::new(AtomicBool::new(false));
        let origins = api.settings.origins.clone();
        let state = Data::new(State::new(api, Arc::clone(&draining)));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .app_data(RequestMetrics::new())
                .configure(routes::register)
                .wrap(Condition::new(!origins.is_empty(), cors(&origins)))
                .wrap(from_fn(finish))
                .wrap(TracingLogger::<RequestSpan>::new())
                .wrap(from_fn(measure))
        })
        .workers(workers)
        .client_request_timeout(HEADER_LIMIT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(DRAIN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        Ok(Self { handle, addr, draining, finished: tokio::spawn(server) })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers `/readyz` with 503 from now on, so that a load balancer sends new clients elsewhere.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Stops accepting, lets open requests and sockets finish for at most `limit`, then drops what is left.
    pub async fn stop(self, limit: Duration) {
        self.drain();
        if tokio::time::timeout(limit, self.handle.stop(true)).await.is_err() {
            tracing::warn!("connections still open after {limit:?}, dropping them");
            // Not awaited: actix answers a second stop only after the first one, which has just been given up.
            drop(self.handle.stop(false));
        }
        self.finished.abort();
    }
}
