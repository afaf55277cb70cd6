//! Connecting to one of the configured servers.
//!
//! Attempts keep no state: each begins at the addresses of the configuration, one further than the last.

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

use crate::error::RedisConfigError;
use crate::error::{self, RedisFailure};
use crate::tls::{self, PrivateAuthorities};
use crate::url::{RedisServer, RedisUrl};

/// How long an attempt to connect to one server may take, up to its first reply.
const CONNECT: Duration = Duration::from_secs(2);

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    servers: Arc<[RedisServer]>,
    tls: Option<TlsConnector>,
}

/// A connection. Its copies are one; it ends with the last of them, whatever the server does.
#[derive(Clone)]
pub(crate) struct RedisConnection {
    inner: MultiplexedConnection,
    _driver: Arc<DriverTask>,
}

/// The task that reads and writes; aborted when it is dropped.
struct DriverTask(AbortHandle);

impl Drop for DriverTask {
    fn drop(&mut self) {
        // It would wait for the replies to what was sent.
        self.0.abort();
    }
}

impl Deref for RedisConnection {
    type Target = MultiplexedConnection;
    fn deref(&self) -> &MultiplexedConnection {
        &self.inner
    }
}

impl DerefMut for RedisConnection {
    fn deref_mut(&mut self) -> &mut MultiplexedConnection {
        &mut self.inner
    }
}

impl Dialer {
    pub(crate) fn new(url: &RedisUrl, authorities: PrivateAuthorities) -> Result<Self, RedisConfigError> {
        let tls = if url.is_encrypted() { Some(tls::connector(authorities)?) } else { None };
        Ok(Self { servers: Arc::clone(url.servers()), tls })
    }

    /// Connects to the first server that takes the connection, beginning with number `from`, counted round and round.
    pub(crate) async fn connect(
        &self,
        from: u64,
        config: &AsyncConnectionConfig,
    ) -> Result<RedisConnection, RedisFailure> {
        let count = self.servers.len();
        let first = usize::try_from(from % u64::try_from(count).unwrap_or(1).max(1)).unwrap_or(0);
        let mut failure = RedisFailure::NotConnected;
        for server in self.servers.iter().cycle().skip(first).take(count) {
            match self.connect_to(server, config).await {
                Ok(connection) => return Ok(connection),
                Err(reason) => {
                    tracing::debug!(reason = %reason, "no connection to {server}");
                    failure = reason;
                }
            }
        }
        Err(failure)
    }

    async fn connect_to(
        &self,
        server: &RedisServer,
        config: &AsyncConnectionConfig,
    ) -> Result<RedisConnection, RedisFailure> {
        timeout(CONNECT, self.attempt(server, config)).await.unwrap_or_else(|_| Err(timed_out(server)))
    }

    async fn attempt(
        &self,
        server: &RedisServer,
        config: &AsyncConnectionConfig,
    ) -> Result<RedisConnection, RedisFailure> {
        let refused = |error: io::Error| RedisFailure::Refused(format!("{server}: {}", error::io_message(&error)));
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
            .map_err(|error| error::login_failure(server, server.encrypted, &error))?;
        let says = |field: &str, text: &str| hello.get(field).is_some_and(|value| *value == bulk(text));
        // A message published on a replica reaches no subscriber of the primary. A cluster forwards it from every
        // member.
        if says("mode", "standalone") && says("role", "replica") {
            return Err(RedisFailure::Refused(format!("{server} is a replica; the primary is needed")));
        }
        if says("mode", "sentinel") {
            return Err(RedisFailure::Refused(format!("{server} is a Sentinel, and no Redis server")));
        }
        Ok(connection)
    }
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn timed_out(server: &RedisServer) -> RedisFailure {
    // A server that waits for the end of a line takes TLS's first message for the beginning of one.
    let hint = if server.encrypted { " (if it does not expect TLS, its URL begins with redis://)" } else { "" };
    RedisFailure::Uncertain(format!("{server} did not respond within {} s{hint}", CONNECT.as_secs()))
}

async fn log_in(
    server: &RedisServer,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    config: &AsyncConnectionConfig,
) -> Result<RedisConnection, RedisFailure> {
    // The driver logs in before it needs its task.
    let (inner, driver) = MultiplexedConnection::new_with_config(&server.login, stream, config.clone())
        .await
        .map_err(|error| error::login_failure(server, server.encrypted, &error))?;
    let driver = DriverTask(tokio::spawn(driver).abort_handle());
    Ok(RedisConnection { inner, _driver: Arc::new(driver) })
}
