//! Connecting: to one server of those that are configured.
//!
//! Nothing is remembered between attempts: each begins at the addresses of the configuration, one further than the last.

use std::collections::HashMap;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::ConfigError;
use crate::error::{self, Failure};
use crate::tls::{self, PrivateAuthorities};
use crate::url::{RedisUrl, Server};

/// How long an attempt to connect to one server may take, up to its first answer.
const CONNECT: Duration = Duration::from_secs(2);

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    servers: Arc<[Server]>,
    tls: Option<TlsConnector>,
}

/// A connection. Its copies are one; it ends with the last of them, whatever the server does.
#[derive(Clone)]
pub(crate) struct Connection {
    inner: MultiplexedConnection,
    _driver: Arc<Driver>,
}

/// The task that reads and writes.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        // By itself it would wait for the answers to what was sent.
        self.0.abort();
    }
}

impl Deref for Connection {
    type Target = MultiplexedConnection;
    fn deref(&self) -> &MultiplexedConnection {
        &self.inner
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut MultiplexedConnection {
        &mut self.inner
    }
}

impl Dialer {
    pub(crate) fn new(url: &RedisUrl, authorities: PrivateAuthorities) -> Result<Self, ConfigError> {
        let tls = if url.is_encrypted() { Some(tls::connector(authorities)?) } else { None };
        Ok(Self { servers: Arc::clone(url.servers()), tls })
    }

    /// Connects to the first server that takes the connection, beginning with number `from`, counted round and round.
    pub(crate) async fn connect(&self, from: u64, config: &AsyncConnectionConfig) -> Result<Connection, Failure> {
        let count = self.servers.len();
        let first = usize::try_from(from % u64::try_from(count).unwrap_or(1).max(1)).unwrap_or(0);
        let mut failure = Failure::Down;
        for server in self.servers.iter().cycle().skip(first).take(count) {
            match self.to(server, config).await {
                Ok(connection) => return Ok(connection),
                Err(reason) => {
                    tracing::debug!(reason = %reason, "no connection to {server}");
                    failure = reason;
                }
            }
        }
        Err(failure)
    }

    async fn to(&self, server: &Server, config: &AsyncConnectionConfig) -> Result<Connection, Failure> {
        timeout(CONNECT, self.attempt(server, config)).await.unwrap_or_else(|_| Err(silent(server)))
    }

    async fn attempt(&self, server: &Server, config: &AsyncConnectionConfig) -> Result<Connection, Failure> {
        let refused = |error: io::Error| Failure::Refused(format!("{server}: {}", error::io_words(&error)));
        let stream = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let mut connection = match &self.tls {
            Some(tls) if server.encrypted => {
                let name =
                    ServerName::try_from(server.host.clone()).map_err(|error| refused(io::Error::other(error)))?;
                log_in(server, tls.connect(name, stream).await.map_err(refused)?, config).await?
            }
            _ => log_in(server, stream, config).await?,
        };
        let hello: HashMap<String, Value> = redis::cmd("HELLO")
            .query_async(&mut connection.inner)
            .await
            .map_err(|error| error::at_login(server, &error))?;
        let says = |field: &str, text: &str| hello.get(field).is_some_and(|value| *value == bulk(text));
        // What is published there is heard by nobody else. A cluster spreads it from every member.
        if says("mode", "standalone") && says("role", "replica") {
            return Err(Failure::Refused(format!("{server} is a replica; the primary is needed")));
        }
        if says("mode", "sentinel") {
            return Err(Failure::Refused(format!("{server} is a Sentinel, and no Redis server")));
        }
        Ok(connection)
    }
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn silent(server: &Server) -> Failure {
    // A server that waits for the end of a line takes TLS's first message for the beginning of one.
    let hint = if server.encrypted { " (if it does not expect TLS, its URL begins with redis://)" } else { "" };
    Failure::Uncertain(format!("{server} did not answer within {} s{hint}", CONNECT.as_secs()))
}

async fn log_in(
    server: &Server,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    config: &AsyncConnectionConfig,
) -> Result<Connection, Failure> {
    // The driver logs in before it needs its task.
    let (inner, driver) = MultiplexedConnection::new_with_config(&server.login, stream, config.clone())
        .await
        .map_err(|error| error::at_login(server, &error))?;
    let driver = Driver(tokio::spawn(driver).abort_handle());
    Ok(Connection { inner, _driver: Arc::new(driver) })
}
