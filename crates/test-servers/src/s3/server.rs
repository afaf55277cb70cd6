//! The server: its bucket, its faults, and what it was asked for.

use std::convert::Infallible;
use std::fs;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, RANGE};
use hyper::http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::fault::{CutBody, S3Fault, S3RequestFilter};
use crate::error::Error;

const BUCKET: &str = "chat-files";
const ACCESS_KEY: &str = "throwaway";
const SECRET_KEY: &str = "throwaway-secret-key";

/// A request that came to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRequest {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// Its header `Range`.
    pub range: Option<String>,
    /// How many bytes its body was said to have.
    pub length: Option<u64>,
}

/// An S3 server with one empty bucket on a free port of 127.0.0.1, which ends with the value.
pub struct S3Server {
    address: SocketAddr,
    directory: TempDir,
    shared: Arc<S3ServerState>,
    runtime: Option<Runtime>,
}

struct S3ServerState {
    service: S3Service,
    faults: Mutex<Vec<(S3RequestFilter, S3Fault)>>,
    /// Moves whenever the faults change.
    changes: watch::Sender<u64>,
    seen: Mutex<Vec<SeenRequest>>,
}

impl S3Server {
    /// Starts a server.
    ///
    /// # Errors
    /// There is no free port, or no temporary directory.
    pub fn start() -> Result<Self, Error> {
        let directory = tempfile::tempdir().map_err(Error::io("make a directory for an S3 server"))?;
        fs::create_dir(directory.path().join(BUCKET)).map_err(Error::io("make a bucket"))?;
        let files = FileSystem::new(directory.path()).map_err(|error| Error::Io {
            action: "open the directory of an S3 server".to_owned(),
            source: io::Error::other(format!("{error:?}")),
        })?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let shared = Arc::new(S3ServerState {
            service: builder.build(),
            faults: Mutex::default(),
            changes: watch::channel(0).0,
            seen: Mutex::default(),
        });
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(Error::io("start the threads of an S3 server"))?;
        let no_port = || Error::io("listen on a free port");
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no_port())?;
        listener.set_nonblocking(true).map_err(no_port())?;
        let address = listener.local_addr().map_err(no_port())?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).map_err(no_port())?
        };
        runtime.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, directory, shared, runtime: Some(runtime) })
    }

    /// Where the server is: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The name of its bucket.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// The variables with which a client of S3 finds the server and may use it.
    pub fn variables(&self) -> Vec<(String, String)> {
        let endpoint = self.endpoint();
        [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_ALLOW_HTTP", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The directory in which the objects of the bucket lie under their keys.
    pub fn objects(&self) -> PathBuf {
        self.directory.path().join(BUCKET)
    }

    /// The parts of uploads that were neither completed nor aborted.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn unfinished_parts(&self) -> Result<usize, Error> {
        let is_part = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".part-"));
        let entries = fs::read_dir(self.directory.path()).map_err(Error::io("look for parts of uploads"))?;
        Ok(entries.filter_map(Result::ok).filter(|entry| is_part(&entry.path())).count())
    }

    /// What the server keeps of an object's headers, as JSON.
    ///
    /// # Errors
    /// There is no such object.
    pub fn attributes(&self, key: &str) -> Result<String, Error> {
        // As s3s-fs names it.
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let name = format!(".bucket-{}.object-{}.metadata.json", encode(BUCKET), encode(key));
        fs::read_to_string(self.directory.path().join(name)).map_err(Error::io("read the attributes of an object"))
    }

    /// From now on, requests that are affected meet this fault. The newest fault counts.
    pub fn fail(&self, affected: S3RequestFilter, fault: S3Fault) {
        lock(&self.shared.faults).push((affected, fault));
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    /// The requests that have come, faults or not.
    pub fn seen(&self) -> Vec<SeenRequest> {
        lock(&self.shared.seen).clone()
    }

    /// The requests that have come since they were last taken.
    pub fn take_seen(&self) -> Vec<SeenRequest> {
        std::mem::take(&mut lock(&self.shared.seen))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropped on an async thread, a runtime panics when it waits.
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<S3ServerState>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // A response is written in two pieces. The second would wait 40 ms for the client's acknowledgement of the first.
        let _slower_without = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(Arc::clone(&shared), request));
            // A connection that is cut is what some tests want.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

/// Why there is no response: the connection is closed then.
#[derive(Debug, thiserror::Error)]
enum NoResponse {
    #[error("a fault of the test")]
    Fault,
    #[error("{0:?}")]
    Service(HttpError),
}

async fn answer(shared: Arc<S3ServerState>, request: Request<Incoming>) -> Result<Response<Body>, NoResponse> {
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let method = request.method().clone();
    lock(&shared.seen).push(SeenRequest {
        method: method.to_string(),
        path: path.clone(),
        range: text(request.headers(), RANGE.as_str()),
        length: text(request.headers(), "content-length").and_then(|length| length.parse().ok()),
    });
    let mut changes = shared.changes.subscribe();
    let fault = loop {
        match shared.fault(&method, &path) {
            Some(S3Fault::Silent) => {
                if changes.changed().await.is_err() {
                    pending::<Infallible>().await;
                }
            }
            fault => break fault,
        }
    };
    match fault {
        None | Some(S3Fault::Silent) => shared.serve(request.map(Body::from)).await,
        Some(S3Fault::Disconnects) => Err(NoResponse::Fault),
        Some(S3Fault::Status(status, code)) => {
            // A connection that is closed before the body was read destroys the response on its way.
            let _body = request.into_body().collect().await;
            Ok(refusal(status, code))
        }
        Some(S3Fault::CutRequest(left)) => {
            let _response = shared.serve(request.map(|inner| Body::http_body(CutBody { inner, left }))).await;
            Err(NoResponse::Fault)
        }
        Some(S3Fault::CutResponse(left)) => {
            let response = shared.serve(request.map(Body::from)).await?;
            Ok(response.map(|inner| Body::http_body_unsync(CutBody { inner: Box::pin(inner), left })))
        }
        Some(S3Fault::LostResponse) => {
            let _response = shared.serve(request.map(Body::from)).await?;
            Err(NoResponse::Fault)
        }
    }
}

impl S3ServerState {
    /// The fault that the request meets, counted.
    fn fault(&self, method: &Method, path: &str) -> Option<S3Fault> {
        let mut faults = lock(&self.faults);
        let (affected, fault) = faults.iter_mut().rev().find(|(affected, _)| affected.covers(method, path))?;
        if *fault != S3Fault::Silent {
            affected.times = affected.times.map(|times| times.saturating_sub(1));
        }
        Some(*fault)
    }

    async fn serve(&self, request: Request<Body>) -> Result<Response<Body>, NoResponse> {
        self.service.call(request).await.map_err(NoResponse::Service)
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn refusal(status: u16, code: &str) -> Response<Body> {
    let text =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>a fault of the test</Message></Error>");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
