//! One fetch of a key set: found, read within limits, and parsed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Position, Url};

use super::location::{KeySetLocation, OidcIssuer};
use super::public_address::is_public;
use super::trust;
use crate::keys::{KeySet, MAX_KEYS, read_jwk_set};

/// How long a fetch may take, discovery included.
const LONGEST: Duration = Duration::from_secs(10);
/// How long one address of a host may take to accept a connection, so that the next address has its turn.
const LONGEST_CONNECT: Duration = Duration::from_secs(3);
/// The largest document that is read.
const MAX_BYTES: usize = 512 * 1024;

/// Why a key set could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// The URL is not one of HTTPS.
    #[error("{url} is not https; only --jwt-allow-private-hosts on (CHAT_JWT_ALLOW_PRIVATE_HOSTS=on) permits http")]
    Plain {
        /// The URL.
        url: String,
    },
    /// The host has no address on the internet.
    #[error(
        "{host} has no public address but {address}; only --jwt-allow-private-hosts on (CHAT_JWT_ALLOW_PRIVATE_HOSTS=on) \
         permits private ones"
    )]
    PrivateAddress {
        /// The host.
        host: String,
        /// Its first address.
        address: IpAddr,
    },
    /// There is no connection to the host.
    #[error("cannot connect to {host}: {problem}")]
    Connect {
        /// The host and its port.
        host: String,
        /// What failed.
        problem: String,
    },
    /// The exchange failed.
    #[error("cannot read {url}: {problem}")]
    Read {
        /// The URL.
        url: String,
        /// What failed.
        problem: String,
    },
    /// The response leads elsewhere, where it is not followed.
    #[error("{url} is redirected (status {status}), which is not followed; set the URL that it leads to")]
    Redirected {
        /// The URL.
        url: String,
        /// The status code.
        status: u16,
    },
    /// The response is no success.
    #[error("{url} returned the status {status}")]
    Status {
        /// The URL.
        url: String,
        /// The status code.
        status: u16,
    },
    /// The response is larger than a key set.
    #[error("{url} returned more than {} KiB", MAX_BYTES / 1024)]
    TooLarge {
        /// The URL.
        url: String,
    },
    /// It took too long.
    #[error("there was no complete response within {} seconds", LONGEST.as_secs())]
    TooSlow,
    /// The discovery document is none.
    #[error("{url} is no discovery document of OpenID Connect: {problem}")]
    Discovery {
        /// The URL.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// The discovery document is another issuer's.
    #[error("{url} is the document of the issuer {found:?}, not of {expected:?}; both must be equal to the last slash")]
    OtherIssuer {
        /// The URL.
        url: String,
        /// The issuer in the document.
        found: String,
        /// The configured one.
        expected: String,
    },
    /// The key set is none.
    #[error("{url} is no JWK Set: {problem}")]
    Malformed {
        /// The URL.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// No key can be used.
    #[error("the key set of {location} has no key that can be used ({reasons})")]
    NoUsableKey {
        /// Where it is published.
        location: String,
        /// Why not, key by key.
        reasons: String,
    },
    /// The system's cryptography does not work.
    #[error("cannot prepare TLS: {0}")]
    Tls(String),
}

/// A key set as it was published.
#[derive(Debug)]
pub(super) struct FetchedKeys {
    pub(super) keys: KeySet,
    pub(super) passed_over: Vec<String>,
    /// How many keys are beyond those that are looked at.
    pub(super) unread: usize,
    pub(super) text: String,
}

impl FetchedKeys {
    /// Reads the text of a key set.
    pub(super) fn parse(text: String) -> Result<Self, serde_json::Error> {
        let set = read_jwk_set(text.as_bytes())?;
        let (passed_over, unread) = (set.reasons(), set.found.saturating_sub(MAX_KEYS));
        Ok(Self { keys: KeySet::published(set.usable), passed_over, unread, text })
    }
}

/// Fetches key sets, from nowhere but where an operator permits it.
pub(super) struct KeySetClient {
    tls: TlsConnector,
    allow_private_hosts: bool,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: Option<String>,
    jwks_uri: Option<String>,
}

impl KeySetClient {
    pub(super) fn new(allow_private_hosts: bool) -> Result<Self, KeySetError> {
        Ok(Self { tls: trust::connector().map_err(KeySetError::Tls)?, allow_private_hosts })
    }

    /// Fetches the key set.
    pub(super) async fn fetch(&self, location: &KeySetLocation) -> Result<FetchedKeys, KeySetError> {
        timeout(LONGEST, self.find_and_read(location)).await.map_err(|_elapsed| KeySetError::TooSlow)?
    }

    async fn find_and_read(&self, location: &KeySetLocation) -> Result<FetchedKeys, KeySetError> {
        let url = match location {
            KeySetLocation::Url(url) => url.clone(),
            KeySetLocation::Issuer(issuer) => self.discover(issuer).await?,
        };
        let malformed = |problem: String| KeySetError::Malformed { url: url.to_string(), problem };
        let text = String::from_utf8(self.get(&url).await?).map_err(|error| malformed(error.to_string()))?;
        FetchedKeys::parse(text).map_err(|error| malformed(error.to_string()))
    }

    /// The URL of the key set that the issuer's document names (`OpenID` Connect Discovery 1.0, 4.3).
    async fn discover(&self, issuer: &OidcIssuer) -> Result<Url, KeySetError> {
        let url = issuer.discovery();
        let wrong = |problem: String| KeySetError::Discovery { url: url.to_string(), problem };
        let document: Discovery =
            serde_json::from_slice(&self.get(url).await?).map_err(|error| wrong(error.to_string()))?;
        let found = document.issuer.ok_or_else(|| wrong("it has no `issuer`".to_owned()))?;
        if found != issuer.name() {
            let expected = issuer.name().to_owned();
            return Err(KeySetError::OtherIssuer { url: url.to_string(), found, expected });
        }
        let keys = document.jwks_uri.ok_or_else(|| wrong("it has no `jwks_uri`".to_owned()))?;
        Url::parse(&keys).map_err(|error| wrong(format!("its `jwks_uri` is no URL: {error}")))
    }

    /// The body of a successful response.
    async fn get(&self, url: &Url) -> Result<Vec<u8>, KeySetError> {
        let (host, port) = match (url.scheme(), url.host(), url.port_or_known_default()) {
            ("https", Some(host), Some(port)) => (host, port),
            ("http", Some(host), Some(port)) if self.allow_private_hosts => (host, port),
            _ => return Err(KeySetError::Plain { url: url.to_string() }),
        };
        let stream = self.connect(&host, port).await?;
        if url.scheme() == "http" {
            return exchange(stream, url).await;
        }
        let failed = |problem: String| KeySetError::Connect {
            host: format!("{host}:{port}"),
            problem: format!("TLS: {problem}"),
        };
        let name = match &host {
            Host::Domain(name) => {
                ServerName::try_from((*name).to_owned()).map_err(|error| failed(error.to_string()))?
            }
            Host::Ipv4(address) => ServerName::from(IpAddr::V4(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::V6(*address)),
        };
        let stream = self.tls.connect(name, stream).await.map_err(|error| failed(error.to_string()))?;
        exchange(stream, url).await
    }

    /// Connects to an address that was looked at: the name is resolved once, so a name server cannot name another address
    /// for the connection than for the check.
    async fn connect(&self, host: &Host<&str>, port: u16) -> Result<TcpStream, KeySetError> {
        let failed = |problem: String| KeySetError::Connect { host: format!("{host}:{port}"), problem };
        let addresses: Vec<SocketAddr> = match host {
            Host::Domain(name) => {
                lookup_host((*name, port)).await.map_err(|error| failed(error.to_string()))?.collect()
            }
            Host::Ipv4(address) => vec![SocketAddr::from((*address, port))],
            Host::Ipv6(address) => vec![SocketAddr::from((*address, port))],
        };
        let first = addresses.first().ok_or_else(|| failed("it has no address".to_owned()))?;
        let mut problem = KeySetError::PrivateAddress { host: host.to_string(), address: first.ip() };
        for address in addresses.iter().filter(|address| self.allow_private_hosts || is_public(address.ip())) {
            problem = match timeout(LONGEST_CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed(error.to_string()),
                Err(_elapsed) => failed("it did not accept the connection in time".to_owned()),
            };
        }
        Err(problem)
    }
}

/// Sends the request and reads the response.
async fn exchange<S>(stream: S, url: &Url) -> Result<Vec<u8>, KeySetError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |problem: String| KeySetError::Read { url: url.to_string(), problem };
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(error.to_string()))?;
    // Aborted with this future, whatever state the connection is in.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = Request::get(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, &url[Position::BeforeHost..Position::AfterPort])
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("chat-server/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(|error| failed(error.to_string()))?;
    let status = response.status();
    if status.is_redirection() {
        return Err(KeySetError::Redirected { url: url.to_string(), status: status.as_u16() });
    }
    if status != StatusCode::OK {
        return Err(KeySetError::Status { url: url.to_string(), status: status.as_u16() });
    }
    match Limited::new(response.into_body(), MAX_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(KeySetError::TooLarge { url: url.to_string() }),
        Err(error) => Err(failed(error.to_string())),
    }
}
