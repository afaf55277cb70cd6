//! Runs the API on a listener.
//!
//! `actix_web::HttpServer` keeps every connection to itself, so the server is put together here as it does it, with two
//! more parts: what asks for a WebSocket goes to `socket::takeover`, and `guard` watches over all other connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_http::{HttpService, HttpServiceBuilder, KeepAlive, Request};
use actix_service::{IntoServiceFactory, ServiceFactory, apply_fn_factory, map_config};
use actix_web::App;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServerHandle, ServiceResponse};
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::Data;
use tokio::sync::watch;
use tracing_actix_web::TracingLogger;

use crate::api::Api;
use crate::guard::{
    AddressCounts, WRITE_BUFFER_BYTES, WorkerApp, WorkerConnections, attach_state, for_expecting_requests,
    for_requests, serve,
};
use crate::metering::{ConnectionMetrics, RequestMetrics};
use crate::middleware::{RequestSpan, cors, finish, log_access, measure, refuse_forwarded, trace_request};
use crate::origins::AllowedOrigin;
use crate::routes;
use crate::socket::TakeOver;
use crate::state::AppState;

/// How long what was sent may stay unacknowledged before the kernel gives the connection up (`TCP_USER_TIMEOUT`): a
/// peer without a window, or without power, otherwise keeps its socket and what waits in it without end.
const UNACKNOWLEDGED_LIMIT: Duration = Duration::from_secs(20);
/// How many bytes may wait in the kernel before they are sent (`TCP_NOTSENT_LOWAT`). The guard and the sockets take it
/// for progress when the kernel takes bytes. Without this it takes megabytes at once, then none until a third of them has
/// been sent: a client that read 40 KB every second was cut off after 21 seconds. It bounds what a connection holds in
/// the kernel too, and not what is on its way, so that lines with a long delay lose nothing.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 * 1024;
/// How many connections may wait to be accepted. When a node is lost, its sockets come to the others all at once, and
/// the 128 that the standard library asks for are full within moments: the kernel then drops a client's first packet, and
/// the client tries again only a second later, then two, then four.
const BACKLOG: i32 = 4_096;
/// How many connections a worker holds at least.
const LEAST_PER_WORKER: usize = 4;
/// How long actix itself waits for open connections; `Server::stop` has its own, shorter limit.
const DRAIN_SECONDS: u64 = 30;

/// A running server.
pub struct Server {
    handle: ServerHandle,
    addr: SocketAddr,
    draining: Arc<AtomicBool>,
    drop_sockets: watch::Sender<bool>,
    finished: tokio::task::JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts to serve on `listener` with `workers` threads, or fewer when there is room for few connections. It needs a tokio runtime around it, which the adapters'
    /// background work runs on. What it counts goes to the recorder that the process has by then.
    pub fn start(listener: TcpListener, api: Api, workers: usize) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        tune(&listener)?;
        let draining = Arc::new(AtomicBool::new(false));
        let (drop_sockets, sockets_are_dropped) = watch::channel(false);
        let origins: Arc<[AllowedOrigin]> = api.settings.origins.clone().into();
        let optional = OptionalParts {
            refuses_forwarded: api.settings.refuse_forwarded,
            logs_access: api.access_log.is_some(),
            traces: api.traces.is_some(),
        };
        let limits = api.settings.transport;
        let addresses = AddressCounts::new(api.settings.connections_per_address, api.settings.proxies.clone());
        let state = Data::new(AppState::new(api, Arc::clone(&draining)));
        let app = move || application(state.clone(), &origins, optional);
        let (workers, most) = divide(limits.connections, workers);
        ConnectionMetrics::set_limits(most * workers, limits.sockets);
        let builder = actix_web::dev::Server::build()
            .workers(workers)
            // One of them holds the worker's sockets (`socket::worker_sockets`), and is none any more.
            .max_concurrent_connections(most + 1)
            .shutdown_timeout(DRAIN_SECONDS)
            .disable_signals();
        // This and its use below are hidden in actix's documentation, but it is how `HttpServer` closes idle connections
        // at once when the server stops; without it they would hold the process for as long as they are kept alive.
        let stopping = builder.graceful_shutdown_signal();
        let server = builder
            .listen("chat", listener, move || {
                let stopping = stopping.clone();
                let app = WorkerApp::new(&app());
                let connections = WorkerConnections::new(limits, most, Arc::clone(&addresses));
                let builder = HttpService::build()
                    .graceful_shutdown_signal(move || {
                        let stopping = stopping.clone();
                        async move { stopping.notified().await }
                    })
                    // All times are the guard's: connections are kept alive until it ends them.
                    .keep_alive(KeepAlive::Os)
                    .client_request_timeout(Duration::ZERO)
                    .client_disconnect_timeout(Duration::ZERO)
                    .h1_write_buffer_size(WRITE_BUFFER_BYTES)
                    .local_addr(addr)
                    .on_connect_ext(attach_state);
                let http = HttpServiceBuilder::expect(builder, for_expecting_requests(app.clone()))
                    .upgrade(TakeOver::new(app.clone(), sockets_are_dropped.clone()))
                    .h1(for_requests(app));
                apply_fn_factory(http, move |stream, http: &_| serve(stream, http, &connections))
            })?
            .run();
        let handle = server.handle();
        Ok(Self { handle, addr, draining, drop_sockets, finished: tokio::spawn(server) })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Makes `/readyz` return 503 from now on, so that a load balancer sends new clients elsewhere.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Stops accepting, lets open requests and sockets finish for at most `limit`, then drops what is left.
    ///
    /// It does not close the sockets: their subscriptions end when the node stops.
    pub async fn stop(self, limit: Duration) {
        self.drain();
        if tokio::time::timeout(limit, self.handle.stop(true)).await.is_err() {
            tracing::warn!("connections still open after {limit:?}, dropping them");
            self.drop_sockets.send_replace(true);
            // Not awaited: actix completes a second stop only after the first one, which has just been given up.
            drop(self.handle.stop(false));
        }
        self.finished.abort();
    }
}

/// The parts of the application that only some configurations have.
#[derive(Clone, Copy)]
struct OptionalParts {
    refuses_forwarded: bool,
    logs_access: bool,
    traces: bool,
}

/// The application of a worker.
fn application(
    state: Data<AppState>,
    origins: &Arc<[AllowedOrigin]>,
    optional: OptionalParts,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = ServiceResponse<impl MessageBody + use<>>,
    Error = actix_web::Error,
    InitError = (),
    Service: 'static,
    Future: 'static,
> + use<> {
    let mounts = state.mounts.clone();
    let app = App::new()
        .app_data(state)
        .app_data(RequestMetrics::new())
        .configure(|config| routes::register(config, &mounts))
        .wrap(Condition::new(optional.refuses_forwarded, from_fn(refuse_forwarded)))
        .wrap(Condition::new(!origins.is_empty(), cors(origins)))
        .wrap(from_fn(finish))
        .wrap(TracingLogger::<RequestSpan>::new())
        .wrap(Condition::new(optional.logs_access, from_fn(log_access)))
        .wrap(Condition::new(optional.traces, from_fn(trace_request)))
        .wrap(from_fn(measure));
    // Nothing here asks actix for the server's own name or address.
    map_config(app.into_factory(), |()| AppConfig::default())
}

/// How many workers there are when so many are wanted, and the most connections that each of them holds. A worker with
/// very few would be crowded by each of them, so that there are fewer workers instead.
fn divide(connections: usize, wanted: usize) -> (usize, usize) {
    let workers = wanted.min(connections / LEAST_PER_WORKER).max(1);
    (workers, (connections / workers).max(1))
}

/// Makes room for clients that come all at once, and sets what every accepted connection inherits from its listener on
/// Linux; other systems keep their defaults.
fn tune(listener: &TcpListener) -> io::Result<()> {
    use rustix::net::{listen, sockopt};

    // It listens already; asking again changes the number (POSIX, `listen()`), which the kernel's own limit bounds.
    listen(listener, BACKLOG)?;
    // Frames are small and written when they are complete: nothing is gained by waiting for more.
    sockopt::set_tcp_nodelay(listener, true)?;
    #[cfg(target_os = "linux")]
    {
        sockopt::set_tcp_user_timeout(listener, u32::try_from(UNACKNOWLEDGED_LIMIT.as_millis()).unwrap_or(u32::MAX))?;
        socket2::SockRef::from(listener).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_worker_holds_fewer_than_four_connections_unless_the_node_does() {
        for (connections, wanted, expected) in [
            (25_000, 8, (8, 3_125)),
            (15, 16, (3, 5)),
            (64, 16, (16, 4)),
            (63, 16, (15, 4)),
            (3, 16, (1, 3)),
            (0, 2, (1, 1)),
            (100, 0, (1, 100)),
        ] {
            assert_eq!(divide(connections, wanted), expected, "{connections} connections, {wanted} workers");
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod listener_tests {
    use std::net::TcpStream;

    use rustix::net::sockopt;

    use super::*;

    #[test]
    fn an_accepted_connection_has_the_options_of_its_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        tune(&listener).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(sockopt::tcp_nodelay(&accepted).unwrap());
        assert_eq!(sockopt::tcp_user_timeout(&accepted).unwrap(), 20_000);
        assert_eq!(socket2::SockRef::from(&accepted).tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
    }

    #[test]
    fn many_connections_wait_to_be_accepted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        tune(&listener).unwrap();
        let addr = listener.local_addr().unwrap();
        // More than the standard library's backlog: a client that finds it full would try again after a second.
        let connect = |_| TcpStream::connect_timeout(&addr, Duration::from_millis(900)).unwrap();
        let waiting: Vec<TcpStream> = (0..300).map(connect).collect();
        assert_eq!(waiting.len(), 300);
    }
}
