//! `healthcheck`: asks the node that serves on the listen address whether it can serve, for supervisors of processes that
//! run a command. It needs no shell and no HTTP client beside the program itself, so an image may hold nothing else.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::block_on;
use crate::config::{ConfigError, units};

/// More than either response has.
const MOST_BYTES: usize = 64 * 1024;
/// Shorter than the time that supervisors commonly give a check.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What `healthcheck` takes.
#[derive(clap::Args)]
pub(super) struct HealthcheckArguments {
    /// Ask whether the process runs (`/healthz`), and not whether it can serve (`/readyz`).
    #[arg(long)]
    alive: bool,
    /// How long the node may take.
    #[arg(long, value_name = "TIME", default_value = units::show_duration(TIMEOUT), value_parser = units::duration)]
    timeout: Duration,
}

/// Succeeds when the node at the listen address returns 200.
///
/// # Errors
/// It does not, or does not in time; the error has its response.
pub(super) fn run(listen: SocketAddr, arguments: &HealthcheckArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let address = address_of(listen)?;
    let path = if arguments.alive { "/healthz" } else { "/readyz" };
    let url = format!("http://{address}{path}");
    let response = block_on(async {
        let limit = units::show_duration(arguments.timeout);
        let response = timeout(arguments.timeout, get(address, path)).await;
        response.with_context(|| format!("it did not respond within {limit}"))?
    });
    let (status, body) = response.with_context(|| format!("no health from {url}"))?;
    let body = body.trim_end();
    if status != StatusCode::OK {
        bail!("{url} returned {status}: {body}");
    }
    writeln!(out, "{body}")?;
    Ok(())
}

/// Where a process on this machine reaches a node that listens there.
fn address_of(listen: SocketAddr) -> Result<SocketAddr, ConfigError> {
    if listen.port() == 0 {
        let problem = "must be the address on which the node serves, and not port 0; a valid value is 127.0.0.1:8080";
        return Err(ConfigError::new("listen", problem));
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

async fn get(address: SocketAddr, path: &str) -> anyhow::Result<(StatusCode, String)> {
    let stream = TcpStream::connect(address).await.context("cannot connect; does the node run, and listen there?")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the runtime, which is gone when the response is there.
    tokio::spawn(connection);
    let request = Request::get(path).header(HOST, address.to_string()).header(CONNECTION, "close");
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(anyhow::Error::from_boxed)?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}
