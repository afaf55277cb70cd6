//! A connection that is made again when it is lost.

use std::time::Duration;

use tokio::time::timeout;

use super::connection::Connection;
use super::{Failure, Head, Target};

/// Sends one request at a time over a kept connection, and opens a new one when the old one is lost. It never repeats
/// a request by itself.
#[derive(Debug)]
pub struct Client {
    target: Target,
    limit: Duration,
    connection: Option<Connection>,
    connects: u64,
}

impl Client {
    /// A client that waits at most `limit` for an answer, connecting included.
    pub fn new(target: Target, limit: Duration) -> Self {
        Self { target, limit, connection: None, connects: 0 }
    }

    /// How many connections were made so far.
    pub fn connects(&self) -> u64 {
        self.connects
    }

    /// Connects now instead of with the first request.
    pub async fn connect(&mut self) -> Result<(), Failure> {
        let connection = timeout(self.limit, Connection::open(&self.target)).await.map_err(|_| Failure::Timeout)??;
        self.connects += 1;
        self.connection = Some(connection);
        Ok(())
    }

    /// Sends a request that was rendered; answers the head and how many bytes came. The body is appended to `body`
    /// when there is one.
    ///
    /// # Errors
    /// There is no answer. The request may have been executed unless it is [`Failure::Connect`].
    pub async fn send(&mut self, request: &[u8], body: Option<&mut Vec<u8>>) -> Result<(Head, u64), Failure> {
        // Cut off in the middle, it leaves no connection behind.
        timeout(self.limit, self.send_unlimited(request, body)).await.unwrap_or(Err(Failure::Timeout))
    }

    async fn send_unlimited(&mut self, request: &[u8], body: Option<&mut Vec<u8>>) -> Result<(Head, u64), Failure> {
        // Taken out, so that a failure or a timeout leaves none behind. One that the service has ended while it lay
        // idle would fail a request that another one can carry.
        let idle = self.connection.take().filter(|connection| !connection.is_stale());
        let mut connection = if let Some(connection) = idle {
            connection
        } else {
            self.connects += 1;
            Connection::open(&self.target).await?
        };
        let (head, received) = connection.exchange(request, body).await?;
        if head.keep_alive {
            self.connection = Some(connection);
        }
        Ok((head, received))
    }
}
