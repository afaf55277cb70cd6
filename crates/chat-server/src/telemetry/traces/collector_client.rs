//! The HTTP client of the exporter: a connection for each export, on the server's own runtime. An export comes every few
//! seconds, and by then the collector would mostly have closed a connection that was kept.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How long an export may take: while it lasts, spans gather.
const LIMIT: Duration = Duration::from_secs(5);
/// The largest response that is read.
const LARGEST_RESPONSE: usize = 64 * 1024;

/// Sends requests to the collector.
#[derive(Clone)]
pub(super) struct CollectorClient {
    runtime: Handle,
    tls: Option<TlsConnector>,
}

impl CollectorClient {
    /// For a collector at this address.
    ///
    /// # Errors
    /// It has TLS, and there are no authorities to check its certificate by.
    pub(super) fn new(endpoint: &str, runtime: Handle) -> anyhow::Result<Self> {
        let tls = if endpoint.starts_with("https:") { Some(connector()?) } else { None };
        Ok(Self { runtime, tls })
    }
}

impl std::fmt::Debug for CollectorClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CollectorClient").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// Trusts the authorities of the system.
fn connector() -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ensure!(
        !roots.is_empty(),
        "there are no authorities to check the certificate of --otlp-endpoint (CHAT_OTLP_ENDPOINT) by; install the \
         system's (`ca-certificates`)"
    );
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().context("cannot set up TLS")?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

#[async_trait]
impl HttpClient for CollectorClient {
    /// The exporter's thread waits for a task of the runtime, since it has none of its own.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let tls = self.tls.clone();
        let sent = self.runtime.spawn(async move {
            match timeout(LIMIT, send(request, tls)).await {
                Ok(response) => response,
                Err(_elapsed) => Err(format!("no response within {} s", LIMIT.as_secs()).into()),
            }
        });
        sent.await?
    }
}

async fn send(request: Request<Bytes>, tls: Option<TlsConnector>) -> Result<Response<Bytes>, HttpError> {
    let uri = request.uri().clone();
    let host = uri.host().ok_or("the endpoint has no host")?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    match tls {
        Some(tls) => exchange(request, &uri, tls.connect(ServerName::try_from(host)?, stream).await?).await,
        None => exchange(request, &uri, stream).await,
    }
}

async fn exchange(
    request: Request<Bytes>,
    uri: &Uri,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Response<Bytes>, HttpError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender.
    tokio::spawn(connection);
    let (mut head, body) = request.into_parts();
    head.uri = uri.path().parse()?;
    let authority = uri.authority().ok_or("the endpoint has no host")?;
    head.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    let response = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LARGEST_RESPONSE).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}
