//! The admin address: figures about this process for its operator, apart from the API, so that neither a proxy nor a
//! client of the API ever reaches them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer, Resource};
use anyhow::Context;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::AdminListen;
use crate::telemetry::Metrics;

/// The version of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How long a client may take to send the headers of a request.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// Longer than the usual time between two scrapes, so that they share a connection.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// A few tools at a time; each connection costs memory.
const CONNECTIONS: usize = 64;
/// How long the end may take.
const STOP_LIMIT: Duration = Duration::from_millis(200);

/// The running admin address.
pub(crate) struct Admin {
    metrics: Metrics,
    handle: ServerHandle,
    finished: JoinHandle<io::Result<()>>,
}

impl Admin {
    /// Begins to count and to serve the figures, unless the operator wants none. It needs a tokio runtime around it.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(crate) fn start(listen: AdminListen) -> anyhow::Result<Option<Self>> {
        let AdminListen::At(wanted) = listen else {
            tracing::info!("metrics are off");
            return Ok(None);
        };
        let (listener, addr) = bind(wanted).with_context(|| {
            format!("cannot listen on {wanted}; choose another address with --admin-listen (CHAT_ADMIN_LISTEN), or off")
        })?;
        let metrics = Metrics::start()?;
        let shared = Data::new(metrics.clone());
        let server = HttpServer::new(move || {
            let headers =
                DefaultHeaders::new().add((X_CONTENT_TYPE_OPTIONS, "nosniff")).add((CACHE_CONTROL, "no-store"));
            App::new().app_data(shared.clone()).configure(routes).wrap(headers)
        })
        .workers(1)
        .worker_max_blocking_threads(1)
        .max_connections(CONNECTIONS)
        .client_request_timeout(HEADER_LIMIT)
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .listen(listener)
        .context("cannot serve the metrics")?
        .run();
        // The field is not called `address`: that one is where clients go.
        tracing::info!(admin.address = %addr, "metrics are served on http://{addr}/metrics");
        Ok(Some(Self { metrics, handle: server.handle(), finished: tokio::spawn(server) }))
    }

    /// The figures.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Ends it, with all its connections.
    pub(crate) async fn stop(self) {
        let _it_ends_with_the_process = timeout(STOP_LIMIT, self.handle.stop(false)).await;
        self.finished.abort();
    }
}

fn bind(wanted: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(wanted)?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(read_only("/metrics").route(web::get().to(metrics)).route(web::head().to(metrics)))
        .service(read_only("/healthz").route(web::get().to(healthz)).route(web::head().to(healthz)))
        .default_service(web::to(HttpResponse::NotFound));
}

fn read_only(path: &str) -> Resource {
    let refuse = || async { HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET, HEAD")).finish() };
    web::resource(path).default_service(web::to(refuse))
}

async fn metrics(metrics: Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().content_type(TEXT_FORMAT).body(metrics.render())
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}
