//! How fast access begins and ends: the first token of a new signing key, and the sockets of a person who is signed out.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use serde_json::json;
use test_servers::identity::{IdentityProvider, TokenSigningKey};
use test_servers::redis::PrivateRedis;

use crate::chat::{Chat, Database};
use crate::figures::{Figures, Goal};
use crate::http::{call, free_address, wait_for};
use crate::process::{MeasuredProcess, command};
use crate::programs::release;
use crate::{BenchRun, postgres};

const AUDIENCE: &str = "https://chat.example.com";
/// What both nodes sign and check tokens with.
const SECRET: &str = "a secret of the benchmark, which both servers share";
/// Sockets of the person, half of them on each node; each in a session of its own.
const SOCKETS: usize = 40;
/// An attempt that fails is followed by the next one after this.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);
/// The first byte of a frame that closes a socket (RFC 6455, 5.2).
const CLOSE_FRAME: u8 = 0x88;

pub(crate) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    for round in run.rounds("a new signing key") {
        let (first, later) = new_key(&run.path(&format!("access-{round}")))?;
        figures.record("a published key to its first accepted token", "ms", first);
        figures.record("the next token of that key, beside it", "ms", later);
    }
    sign_out(run, &mut figures, true)?;
    sign_out(run, &mut figures, false)?;
    Ok(figures)
}

/// Milliseconds from the publication of a key to the first answer 200 to a token that it signed, and those of the next one.
fn new_key(data: &Path) -> anyhow::Result<(f64, f64)> {
    let (provider, old) = (IdentityProvider::start()?, TokenSigningKey::generate("ES256", "old")?);
    provider.publish(&[&old])?;
    let address = free_address()?;
    let mut serve = command(&release("chat-server"));
    serve.args(["serve", "--listen", &address, "--log", "error", "--data-dir"]).arg(data);
    serve.env("CHAT_OIDC_ISSUER", provider.issuer()).env("CHAT_JWT_AUDIENCE", AUDIENCE);
    let _server = MeasuredProcess::start(serve.env("CHAT_JWT_ALLOW_PRIVATE_HOSTS", "on"))?;
    wait_for(&address, "/readyz")?;
    let exp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 3_600;
    let claims = json!({ "sub": "alice", "iss": provider.issuer(), "aud": AUDIENCE, "exp": exp }).to_string();
    let new = TokenSigningKey::generate("ES256", "new")?;
    let headers = format!("Authorization: Bearer {}\r\n", new.token(&claims)?);
    provider.publish(&[&old, &new])?;
    let first = accepted_after(&address, &headers)?;
    Ok((first, accepted_after(&address, &headers)?))
}

fn accepted_after(address: &str, headers: &str) -> anyhow::Result<f64> {
    let start = Instant::now();
    while call(address, "GET", "/api/chat/sessions", headers, "").is_err() {
        ensure!(start.elapsed() < PATIENCE, "no token of the new key was accepted");
        thread::sleep(BETWEEN_ATTEMPTS);
    }
    Ok(milliseconds(start.elapsed()))
}

/// Signs a person out on one of two nodes, on both of which they have sockets.
fn sign_out(run: &BenchRun, figures: &mut Figures, with_redis: bool) -> anyhow::Result<()> {
    let (named, goal) = if with_redis { ("with Redis", 2_000.0) } else { ("without Redis", 6_000.0) };
    let server = postgres::start()?;
    let url = postgres::create(&server, "access")?;
    let redis = with_redis.then(|| PrivateRedis::start(&[]).context("no Redis server")).transpose()?;
    let redis_url = redis.as_ref().map(PrivateRedis::url);
    let files = run.path(if with_redis { "access-files" } else { "access-files-alone" });
    let files = format!("file://{}", files.display());
    let mut settings = vec![("CHAT_JWT_SECRET", SECRET), ("CHAT_ATTACHMENTS_URL", files.as_str())];
    if let Some(redis_url) = &redis_url {
        settings.push(("CHAT_REDIS_URL", redis_url.as_str()));
    }
    let start = |name: &str| {
        let data = run.path(&format!("access {named} {name}"));
        fs::create_dir_all(&data)?;
        Chat::start_with(Database::Postgres(&url), &data, &[], &settings)
    };
    let nodes = [start("a")?, start("b")?];
    let [sent_to, other] = &nodes;
    let sessions = sent_to.open_sessions(SOCKETS)?;
    let name = |node| format!("sign-out to the last closed socket on {node} of two nodes {named}");
    for round in run.rounds("a sign-out on two nodes") {
        // An admin sees every session, and who was signed out once is another person each time.
        let person = format!("person-{round}");
        let token = sent_to.token_of(&person, "admin")?;
        let mut closed = Vec::new();
        for (session, node) in sessions.iter().zip(nodes.iter().cycle()) {
            closed.push(open_socket(&node.address, session, &token)?);
        }
        let start = Instant::now();
        sent_to.post(&format!("/api/chat/people/{person}/sign-out"))?;
        for (node, of_node) in [("the first", 0), ("the other", 1)] {
            let last = closed.iter().skip(of_node).step_by(nodes.len()).map(closed_at);
            let last = last.collect::<anyhow::Result<Vec<Instant>>>()?.into_iter().max().context("no socket")?;
            figures.record(name(node), "ms", milliseconds(last.duration_since(start)));
        }
        ensure!(other.get("/readyz").is_ok(), "a node is gone");
    }
    for node in ["the first", "the other"] {
        figures.aim(&name(node), Goal::AtMost(goal));
    }
    Ok(())
}

/// Opens a socket in base mode, whose first frame from the server is that which closes it, and watches it.
fn open_socket(address: &str, session: &str, token: &str) -> anyhow::Result<Receiver<Instant>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET /ws/chat/{session} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    ensure!(head.starts_with(b"HTTP/1.1 101"), "no socket: {}", String::from_utf8_lossy(&head));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // A socket that ends in another way, or never, is missed by the receiver.
        if stream.read_exact(&mut byte).is_ok() && byte == [CLOSE_FRAME] {
            let _the_receiver_is_gone = sender.send(Instant::now());
        }
    });
    Ok(receiver)
}

fn closed_at(socket: &Receiver<Instant>) -> anyhow::Result<Instant> {
    socket.recv_timeout(PATIENCE).context("a socket was not closed by a frame")
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
