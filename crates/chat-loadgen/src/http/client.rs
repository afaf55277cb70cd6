//! One connection that is opened again when it is lost.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Target;
use crate::net::{self, ConnectOptions};

/// A request with its whole body.
pub type HttpRequest = Request<Full<Bytes>>;
/// A response with its whole body.
pub type HttpResponse = Response<Bytes>;

/// Why a request has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpFailure {
    /// No connection could be opened.
    Connect,
    /// The connection ended before the response was complete.
    Closed,
    /// The response did not come in time.
    Timeout,
    /// What came is no HTTP response.
    Malformed,
}

impl HttpFailure {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connect, Self::Closed, Self::Timeout, Self::Malformed];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
        }
    }
}

impl From<hyper::Error> for HttpFailure {
    fn from(error: hyper::Error) -> Self {
        if error.is_parse() { Self::Malformed } else { Self::Closed }
    }
}

/// Sends one request at a time over a kept connection, and opens another when that connection was lost. It never
/// repeats a request.
#[derive(Debug)]
pub struct HttpClient {
    target: Target,
    limit: Duration,
    idle: Option<HttpConnection>,
}

impl HttpClient {
    /// A client that waits at most `limit` for a response, connecting included.
    pub fn new(target: Target, limit: Duration) -> Self {
        Self { target, limit, idle: None }
    }

    /// Sends a request and reads its response.
    ///
    /// # Errors
    /// There is no response. The service may have executed the request unless it is [`HttpFailure::Connect`].
    pub async fn send(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        // A request that is cut off in the middle leaves no connection behind.
        timeout(self.limit, self.send_unlimited(request)).await.unwrap_or(Err(HttpFailure::Timeout))
    }

    async fn send_unlimited(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let mut idle = self.idle.take();
        if let Some(connection) = &mut idle
            && !connection.is_usable().await
        {
            idle = None;
        }
        let mut connection = match idle {
            Some(connection) => connection,
            None => HttpConnection::open(&self.target).await?,
        };
        let response = connection.exchange(request).await?;
        self.idle = Some(connection);
        Ok(response)
    }
}

type ConnectionDriver = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// The two halves of hyper's client connection, which one task polls in turn: a second task for each connection would
/// be woken for every request and every response.
#[derive(Debug)]
struct HttpConnection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    driver: Option<ConnectionDriver>,
}

impl HttpConnection {
    async fn open(target: &Target) -> Result<Self, HttpFailure> {
        let stream = net::connect(target.address, ConnectOptions::default()).await.map_err(|_| HttpFailure::Connect)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: Some(driver) })
    }

    /// Whether an idle connection can take a request. A service may have ended it in the meantime, which must not fail
    /// a request that another connection can carry.
    async fn is_usable(&mut self) -> bool {
        std::future::poll_fn(|cx| Poll::Ready(drive(&mut self.driver, cx))).await && self.sender.is_ready()
    }

    async fn exchange(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let response = self.sender.send_request(request);
        let mut exchange = pin!(async {
            let (head, body) = response.await?.into_parts();
            Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
        });
        std::future::poll_fn(|cx| {
            drive(&mut self.driver, cx);
            exchange.as_mut().poll(cx)
        })
        .await
    }
}

/// Lets the connection read and write; returns whether it goes on. What fails reaches the request, if there is one.
fn drive(driver: &mut Option<ConnectionDriver>, cx: &mut Context<'_>) -> bool {
    if driver.as_mut().is_some_and(|driver| Pin::new(driver).poll(cx).is_ready()) {
        *driver = None;
    }
    driver.is_some()
}

/// A header that is a whole number.
pub(crate) fn header_number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

pub(crate) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}
