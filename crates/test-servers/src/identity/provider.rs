//! The server of an identity provider.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, io};

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::error::Error;
use crate::identity::TokenSigningKey;
use crate::process::Certificates;

/// Where the keys are.
const KEYS_PATH: &str = "/keys";
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
/// How long a test waits for a fetch at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a client may take for its request, and a connection that is kept silent lasts.
const IO_LIMIT: Duration = Duration::from_secs(30);
/// More than any client should read, and nothing that fills a memory.
const OVERSIZED_BYTES: usize = 8 * 1024 * 1024;

/// How the provider responds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// With its documents.
    Healthy,
    /// With nothing: connections are closed at once.
    Disconnects,
    /// With nothing: connections stay open until the behaviour changes.
    Silent,
    /// With this status and an empty body.
    Status(u16),
    /// With a redirection to this URL.
    Redirecting(String),
    /// With this text instead of the key set.
    KeySet(String),
    /// With this text instead of the discovery document.
    Discovery(String),
    /// With a key set that is far too large.
    Oversized,
}

/// A provider on a free port of 127.0.0.1, which ends with the value.
#[derive(Debug)]
pub struct IdentityProvider {
    shared: Arc<ProviderShared>,
    address: SocketAddr,
    certificates: Option<Certificates>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct ProviderShared {
    state: Mutex<ProviderState>,
    changed: Condvar,
    tls: Option<Arc<ServerConfig>>,
    base: String,
}

#[derive(Debug)]
struct ProviderState {
    behaviour: Behaviour,
    issuer: String,
    keys: Vec<String>,
    key_set_requests: usize,
    requests: usize,
    is_stopped: bool,
}

impl IdentityProvider {
    /// Starts a provider that publishes no key yet.
    ///
    /// # Errors
    /// No port is free.
    pub fn start() -> Result<Self, Error> {
        Self::start_with(None)
    }

    /// As `start`, with TLS only. Its certificate is for the name `localhost`, signed by an authority that is made for it
    /// alone: [`authority`](Self::authority).
    ///
    /// # Errors
    /// As `start`; or the certificates cannot be made.
    pub fn start_encrypted() -> Result<Self, Error> {
        Self::start_with(Some(Certificates::make()?))
    }

    fn start_with(certificates: Option<Certificates>) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("listen on a free port"))?;
        let address = listener.local_addr().map_err(Error::io("listen on a free port"))?;
        let tls = certificates.as_ref().map(server_config).transpose()?;
        let base = match tls {
            None => format!("http://{address}"),
            Some(_) => format!("https://localhost:{}", address.port()),
        };
        let state = ProviderState {
            behaviour: Behaviour::Healthy,
            issuer: base.clone(),
            keys: Vec::new(),
            key_set_requests: 0,
            requests: 0,
            is_stopped: false,
        };
        let shared = Arc::new(ProviderShared { state: Mutex::new(state), changed: Condvar::new(), tls, base });
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Ok(Self { shared, address, certificates, accepting: Some(accepting) })
    }

    /// The issuer: where the discovery document is, and the `iss` of tokens.
    pub fn issuer(&self) -> String {
        self.shared.state().issuer.clone()
    }

    /// Gives the issuer a path below this server, such as `/realms/shop` or `/`.
    pub fn name_issuer(&self, path: &str) {
        self.shared.state().issuer = format!("{}{path}", self.shared.base);
    }

    /// Where the keys are.
    pub fn key_set_url(&self) -> String {
        format!("{}{KEYS_PATH}", self.shared.base)
    }

    /// The certificate of the authority, as a file in PEM, if it is a provider with TLS.
    pub fn authority(&self) -> Option<std::path::PathBuf> {
        self.certificates.as_ref().map(Certificates::authority)
    }

    /// Publishes these keys and no other.
    ///
    /// # Errors
    /// One is a secret.
    pub fn publish(&self, keys: &[&TokenSigningKey]) -> Result<(), Error> {
        let keys = keys.iter().map(|key| key.jwk()).collect::<Result<_, _>>()?;
        self.publish_jwks(keys);
        Ok(())
    }

    /// Publishes these JWKs and no other.
    pub fn publish_jwks(&self, keys: Vec<String>) {
        self.shared.state().keys = keys;
    }

    /// Responds in another way from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.state().behaviour = behaviour;
        self.shared.changed.notify_all();
    }

    /// How often the key set was requested.
    pub fn key_set_requests(&self) -> usize {
        self.shared.state().key_set_requests
    }

    /// How often anything was requested.
    pub fn requests(&self) -> usize {
        self.shared.state().requests
    }

    /// Waits until the key set has been requested so often, and returns how often it was. It gives up after 30 seconds.
    pub fn wait_for_key_set_requests(&self, at_least: usize) -> usize {
        let state = self.shared.state();
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, |state| state.key_set_requests < at_least);
        waited.unwrap_or_else(PoisonError::into_inner).0.key_set_requests
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.shared.state().is_stopped = true;
        self.shared.changed.notify_all();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _panicked = accepting.join();
        }
    }
}

fn server_config(certificates: &Certificates) -> Result<Arc<ServerConfig>, Error> {
    let failed = |problem: String| Error::failed("rustls", "no server", problem);
    let read = |path| fs::read(path).map_err(Error::io("read a certificate"));
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificates.server())?)
        .collect::<Result<_, _>>()
        .map_err(|error| failed(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&read(certificates.key())?).map_err(|error| failed(error.to_string()))?;
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map(Arc::new)
        .map_err(|error| failed(error.to_string()))
}

fn accept(listener: &TcpListener, shared: &Arc<ProviderShared>) {
    for stream in listener.incoming() {
        if shared.state().is_stopped {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // What fails here fails at the client, and the client is what is tested.
            let _ended = serve(stream, &shared);
        });
    }
}

fn serve(stream: TcpStream, shared: &ProviderShared) -> io::Result<()> {
    stream.set_read_timeout(Some(IO_LIMIT))?;
    stream.set_write_timeout(Some(IO_LIMIT))?;
    if shared.state().behaviour == Behaviour::Disconnects {
        return Ok(());
    }
    match &shared.tls {
        None => respond(stream, shared),
        Some(tls) => {
            let connection = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
            respond(StreamOwned::new(connection, stream), shared)
        }
    }
}

fn respond(stream: impl Read + Write, shared: &ProviderShared) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let response = shared.response(path);
    if response.is_empty() {
        return Ok(());
    }
    let stream = reader.get_mut();
    stream.write_all(&response)?;
    stream.flush()
}

impl ProviderShared {
    fn state(&self) -> MutexGuard<'_, ProviderState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole response, or nothing.
    fn response(&self, path: &str) -> Vec<u8> {
        let mut state = self.state();
        state.requests += 1;
        if path == KEYS_PATH {
            state.key_set_requests += 1;
        }
        self.changed.notify_all();
        while state.behaviour == Behaviour::Silent && !state.is_stopped {
            let waited = self.changed.wait_timeout(state, IO_LIMIT).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() {
                return Vec::new();
            }
        }
        let keys = || format!(r#"{{"keys":[{}]}}"#, state.keys.join(","));
        let discovery = || format!(r#"{{"issuer":"{}","jwks_uri":"{}{KEYS_PATH}"}}"#, state.issuer, self.base);
        // Below the path of whichever issuer.
        let path = if path.ends_with(DISCOVERY_PATH) { DISCOVERY_PATH } else { path };
        match (&state.behaviour, path) {
            (Behaviour::Disconnects | Behaviour::Silent, _) => Vec::new(),
            (Behaviour::Status(status), _) => http_response(*status, "", ""),
            (Behaviour::Redirecting(url), _) => http_response(302, &format!("Location: {url}\r\n"), ""),
            (Behaviour::Oversized, KEYS_PATH) => http_response(200, "", &" ".repeat(OVERSIZED_BYTES)),
            (Behaviour::KeySet(text), KEYS_PATH) | (Behaviour::Discovery(text), DISCOVERY_PATH) => {
                http_response(200, "", text)
            }
            (_, KEYS_PATH) => http_response(200, "", &keys()),
            (_, DISCOVERY_PATH) => http_response(200, "", &discovery()),
            (_, _) => http_response(404, "", ""),
        }
    }
}

fn http_response(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\
         {headers}\r\n{body}"
    )
    .into_bytes()
}
