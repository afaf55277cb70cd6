//! Servers of one database, with the attachments of all of them and, if wanted, a Redis between them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use chat_loadgen::token::{TokenRole, Tokens};
use chat_loadgen::token_signer::{SignedClaims, TokenSigner};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tempfile::TempDir;
use test_servers::postgres::TestDatabase;
use test_servers::redis::PrivateRedis;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::support::{Person, TestServer, chat_server, run};

/// What all servers sign and check tokens with.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// How many tests disturb the machine at once. A test that only waits gives its turn to the next ([`Cluster::rest`]).
static TURNS: Semaphore = Semaphore::const_new(2);

/// The servers, killed and removed with the value.
pub(super) struct Cluster {
    nodes: Vec<Node>,
    home: TempDir,
    pub(super) database: TestDatabase,
    redis: Option<PrivateRedis>,
    started: Instant,
    settings: Vec<(&'static str, &'static str)>,
    tokens: Tokens,
    turn: Option<SemaphorePermit<'static>>,
}

struct Node {
    server: Option<TestServer>,
    /// Where it is, or was: a server that is started again has another port.
    addr: watch::Sender<SocketAddr>,
}

impl Cluster {
    /// Waits for its turn and starts `count` servers on an empty database, all at once.
    pub(super) async fn start(count: usize, database: TestDatabase, settings: &[(&'static str, &'static str)]) -> Self {
        let turn = TURNS.acquire().await.unwrap();
        let cluster = Self { settings: settings.to_vec(), ..Self::prepare(turn, database, None) };
        Self::start_all(count, cluster).await
    }

    /// Waits for its turn and starts `count` servers on an empty database and a Redis of their own, all at once.
    pub(super) async fn with_redis(count: usize) -> Self {
        let turn = TURNS.acquire().await.unwrap();
        let redis = PrivateRedis::start(&[]).unwrap();
        Self::start_all(count, Self::prepare(turn, TestDatabase::empty(), Some(redis))).await
    }

    fn prepare(turn: SemaphorePermit<'static>, database: TestDatabase, redis: Option<PrivateRedis>) -> Self {
        allow_many_sockets();
        Self {
            nodes: Vec::new(),
            home: tempfile::tempdir().unwrap(),
            database,
            redis,
            started: Instant::now(),
            settings: Vec::new(),
            tokens: Tokens::Signed(TokenSigner::secret(SECRET.as_bytes(), SignedClaims::default())),
            turn: Some(turn),
        }
    }

    async fn start_all(count: usize, mut cluster: Self) -> Self {
        let starting = futures_util::future::join_all((0..count).map(|number| cluster.start_node(number))).await;
        cluster.nodes = starting
            .into_iter()
            .map(|server| Node { addr: watch::channel(server.addr).0, server: Some(server) })
            .collect();
        cluster
    }

    async fn start_node(&self, number: usize) -> TestServer {
        TestServer::start_on(&self.home.path().join(format!("node-{number}")), |command| self.configure(command)).await
    }

    /// Starts a server as those of the cluster, with their Redis, on another database.
    pub(super) async fn start_on_copy(&self, name: &str, database: &TestDatabase) -> TestServer {
        let attachments = format!("file://{}", self.home.path().join(format!("{name}-attachments")).display());
        let configure = |command: &mut Command| {
            self.configure(command);
            command.env("CHAT_DATABASE_URL", database.url()).env("CHAT_ATTACHMENTS_URL", attachments);
        };
        TestServer::start_on(&self.home.path().join(name), configure).await
    }

    /// The configuration of every server of the cluster.
    fn configure(&self, command: &mut Command) {
        command.env("CHAT_DATABASE_URL", self.database.url()).env("CHAT_JWT_SECRET", SECRET);
        command.env("CHAT_ATTACHMENTS_URL", format!("file://{}", self.attachments().display()));
        // Most tests have one customer, with as many sessions as they need.
        command.env("CHAT_MAX_OPEN_SESSIONS", "off");
        command.envs(self.settings.iter().copied());
        if let Some(redis) = &self.redis {
            command.env("CHAT_REDIS_URL", redis.url());
        }
    }

    /// Where the attachments of all servers are.
    pub(super) fn attachments(&self) -> PathBuf {
        self.home.path().join("attachments")
    }

    pub(super) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// What is between the servers.
    pub(super) fn redis(&self) -> &PrivateRedis {
        self.redis.as_ref().expect("a cluster with Redis")
    }

    /// The beginning of the clock that everything is recorded on.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Lets other tests run from here on: this one has nothing more to do than to wait.
    pub(super) fn rest(&mut self) {
        self.turn = None;
    }

    /// A server that runs.
    pub(super) fn node(&self, number: usize) -> &TestServer {
        self.nodes[number].server.as_ref().expect("it was killed")
    }

    /// Where a server is, and where it will be when it is started again.
    pub(super) fn addresses(&self) -> Vec<watch::Receiver<SocketAddr>> {
        self.nodes.iter().map(|node| node.addr.subscribe()).collect()
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self, number: usize) {
        self.nodes[number].server.take().expect("it was killed before").kill();
    }

    /// SIGTERM. Answers the server, whose end can be waited for.
    pub(super) fn terminate(&mut self, number: usize) -> TestServer {
        let server = self.nodes[number].server.take().expect("it was ended before");
        server.signal("TERM");
        server
    }

    /// Starts a server again that has ended.
    pub(super) async fn start_again(&mut self, number: usize) {
        let server = self.start_node(number).await;
        self.nodes[number].addr.send_replace(server.addr);
        self.nodes[number].server = Some(server);
    }

    /// A person at the first server that runs.
    pub(super) fn person(&self, sub: &str, role: TokenRole) -> Person {
        let server = self.nodes.iter().find_map(|node| node.server.as_ref()).expect("a server that runs");
        Person::new(server.addr, &self.token(sub, role))
    }

    /// A token of a person.
    pub(super) fn token(&self, sub: &str, role: TokenRole) -> String {
        self.tokens.of(sub, role).unwrap()
    }

    /// A token of a person that is valid for a short while, in whole seconds.
    pub(super) fn short_token(&self, sub: &str, role: TokenRole, lifetime: Duration) -> String {
        let role = match role {
            TokenRole::User => "user",
            TokenRole::Agent => "agent",
            TokenRole::Admin => "admin",
        };
        let lifetime = format!("{}s", lifetime.as_secs());
        let mut command = chat_server(&self.home.path().join("none"));
        command.env("CHAT_JWT_SECRET", SECRET).args(["token", "--sub", sub, "--role", role, "--ttl", &lifetime]);
        let made = run(&mut command);
        assert_eq!(made.code, 0, "{}", made.stderr);
        made.stdout.trim_end().to_owned()
    }

    /// Where tokens come from.
    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    pub(super) fn alice(&self) -> Person {
        self.person("alice", TokenRole::User)
    }

    pub(super) fn bob(&self) -> Person {
        self.person("bob", TokenRole::Agent)
    }

    /// Sessions of Alice, which Bob has claimed.
    pub(super) async fn open_sessions(&self, count: usize) -> Vec<String> {
        let (alice, bob) = (self.alice(), self.bob());
        let mut sessions = Vec::new();
        for number in 0..count {
            let session = alice.open_session(&format!("session {number}")).await;
            let claim = bob.put(&format!("/api/chat/sessions/{session}/assign"), &json!({ "agentId": "bob" })).await;
            Person::json(claim, 200).await;
            sessions.push(session);
        }
        sessions
    }
}

/// Every socket is a file, here and in the servers, which inherit the limit.
fn allow_many_sockets() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}
