//! Servers of one database, with the attachments of all of them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use chat_loadgen::token::{Role, Tokens};
use serde_json::json;
use tempfile::TempDir;
use test_postgres::TestDatabase;
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::support::{Person, TestServer};

/// What all servers sign and check tokens with.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Whose turn it is to disturb the machine.
static TURN: Mutex<()> = Mutex::const_new(());

/// The servers, killed and removed with the value.
pub(super) struct Cluster {
    nodes: Vec<Node>,
    home: TempDir,
    pub(super) database: TestDatabase,
    settings: Vec<(&'static str, &'static str)>,
    wrap: Option<fn(&Command) -> Command>,
    tokens: Tokens,
    _turn: MutexGuard<'static, ()>,
}

struct Node {
    server: Option<TestServer>,
    /// Where it is, or was: a server that is started again has another port.
    addr: watch::Sender<SocketAddr>,
}

impl Cluster {
    /// Waits for its turn and starts `count` servers on an empty database, all at once.
    pub(super) async fn start(count: usize, database: TestDatabase, settings: &[(&'static str, &'static str)]) -> Self {
        Self::start_wrapped(count, database, settings, None).await
    }

    /// As `start`, with another command instead of each server's, that does the same in the end.
    pub(super) async fn start_wrapped(
        count: usize,
        database: TestDatabase,
        settings: &[(&'static str, &'static str)],
        wrap: Option<fn(&Command) -> Command>,
    ) -> Self {
        let turn = TURN.lock().await;
        let mut cluster = Self {
            nodes: Vec::new(),
            home: tempfile::tempdir().unwrap(),
            database,
            settings: settings.to_vec(),
            wrap,
            tokens: Tokens::Signed(SECRET.into()),
            _turn: turn,
        };
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

    /// What every server of the cluster is told.
    fn configure(&self, command: &mut Command) {
        command.env("CHAT_DATABASE_URL", self.database.url()).env("CHAT_JWT_SECRET", SECRET);
        command.env("CHAT_ATTACHMENTS_URL", format!("file://{}", self.attachments().display()));
        command.envs(self.settings.iter().copied());
        if let Some(wrap) = self.wrap {
            *command = wrap(command);
        }
    }

    /// Where the attachments of all servers are.
    pub(super) fn attachments(&self) -> PathBuf {
        self.home.path().join("attachments")
    }

    pub(super) fn count(&self) -> usize {
        self.nodes.len()
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

    /// Starts a server again that was killed.
    pub(super) async fn start_again(&mut self, number: usize) {
        let server = self.start_node(number).await;
        self.nodes[number].addr.send_replace(server.addr);
        self.nodes[number].server = Some(server);
    }

    /// Somebody at the first server that runs.
    pub(super) fn person(&self, sub: &str, role: Role) -> Person {
        let server = self.nodes.iter().find_map(|node| node.server.as_ref()).expect("a server that runs");
        Person::new(server.addr, &self.tokens.of(sub, role).unwrap())
    }

    pub(super) fn alice(&self) -> Person {
        self.person("alice", Role::User)
    }

    pub(super) fn bob(&self) -> Person {
        self.person("bob", Role::Agent)
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
