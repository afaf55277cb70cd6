//! The server under test.

use std::any::Any;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{Role, Timestamp};
use chat_domain::ports::{
    AgentDirectory, AttachmentStore, Clock, EventLog, HealthProbe, InboxFeed, InboxReader, PresenceStore,
    RevocationStore, SigningKeyStore, ThumbnailMaker, ThumbnailStore,
};
use chat_domain::service::{ChatService, Ports, Rules};
use chat_http::{Api, HttpSettings, Mounts, Server};
use chat_identity::{DownloadTickets, TokenClaims, TokenRules, TokenVerifier, sign_hs256};
use chat_postgres::{PgConfig, PgStore};
use chat_realtime::{Hub, HubFeed, HubHealthProbe, HubInboxFeed, HubSettings, LocalSockets, run_inboxes};
use chat_sqlite::{SqliteConfig, SqliteStore};
use chat_storage::LocalAttachmentStore;
use chat_testkit::{FixedClock, MemoryAttachmentStore, MemoryStore, MemoryTicketStore, SequentialIds};
use chat_thumbnails::{ImageThumbnailMaker, ThumbnailTimeouts};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use test_servers::postgres::{KeepRows, TestDatabase};
use tokio::runtime::Handle;

use super::{Answer, TestSocket};

/// The secret that the server under test trusts.
pub(crate) const SECRET: &[u8] = b"a secret of more than 32 bytes, for tests only";

/// Which adapters the server under test stands on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Store {
    /// Everything in memory.
    Memory,
    /// SQLite and the local disk.
    Sqlite,
    /// A database on the tests' server, and the local disk.
    Postgres,
}

/// A store that is closed before its server is gone.
enum Durable {
    Sqlite(SqliteStore),
    Postgres(PgStore),
}

/// What a test may change about the server.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) http: HttpSettings,
    pub(crate) rules: Rules,
    pub(crate) tokens: TokenRules,
    /// Verifies tokens instead of the tests' secret, with which the requests of the tests' persons are signed.
    pub(crate) verifier: Option<TokenVerifier>,
    /// Replaces ports, by failing ones for example.
    pub(crate) replace_ports: Option<fn(Ports) -> Ports>,
    /// What readiness depends on besides the adapters.
    pub(crate) more_probes: Vec<Arc<dyn HealthProbe>>,
    /// What another crate responds with.
    pub(crate) mounts: Mounts,
}

impl Default for Options {
    /// Those of a server, except that the few customers of the tests open as many sessions as these need.
    fn default() -> Self {
        Self {
            http: HttpSettings::default(),
            rules: Rules { max_open_sessions: None, ..Rules::default() },
            tokens: TokenRules::default(),
            verifier: None,
            replace_ports: None,
            more_probes: Vec::new(),
            mounts: Mounts::default(),
        }
    }
}

pub(crate) struct TestApp {
    pub(crate) base: String,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) service: ChatService,
    /// The directory, as other nodes and the command line change it.
    pub(crate) agents: Arc<dyn AgentDirectory>,
    /// When agents were last there, as other nodes note it.
    pub(crate) presence: Arc<dyn PresenceStore>,
    /// Whose access was ended, as other nodes change it.
    pub(crate) revocations: Arc<dyn RevocationStore>,
    pub(crate) download_tickets: DownloadTickets,
    signing_keys: Arc<dyn SigningKeyStore>,
    attachments: Arc<dyn AttachmentStore>,
    client: reqwest::Client,
    server: Server,
    durable: Option<Durable>,
    /// Keeps temporary directories and databases.
    _guard: Box<dyn Any + Send>,
}

impl TestApp {
    pub(crate) async fn start(store: Store) -> Self {
        Self::with(store, Options::default()).await
    }

    pub(crate) async fn with(store: Store, options: Options) -> Self {
        // A step of a millisecond keeps moments apart without making a test depend on the real time.
        let clock = Arc::new(FixedClock::ticking(Duration::from_millis(1)));
        let hub = Hub::new(HubSettings::default(), Arc::clone(&clock) as Arc<dyn Clock>);
        let (ports, signing_keys, mut probes, durable, guard) = match store {
            Store::Memory => in_memory(&hub, &clock).await,
            Store::Sqlite => on_sqlite(&hub, &clock).await,
            Store::Postgres => on_postgres(&hub, &clock).await,
        };
        let ports = match options.replace_ports {
            Some(replace) => replace(ports),
            None => ports,
        };
        probes.extend(options.more_probes);
        let (agents, attachments) = (Arc::clone(&ports.agents), Arc::clone(&ports.attachments));
        let (presence, revocations) = (Arc::clone(&ports.presence), Arc::clone(&ports.revocations));
        let service = ChatService::new(ports, options.rules);
        let download_tickets = DownloadTickets::new(Arc::clone(&signing_keys));
        let api = Api {
            service: service.clone(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            tokens: options.verifier.unwrap_or_else(|| TokenVerifier::hs256(SECRET, options.tokens)),
            download_tickets: download_tickets.clone(),
            probes,
            settings: options.http,
            access_log: None,
            traces: None,
            mounts: options.mounts,
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let server = Server::start(listener, api, 1).expect("the server starts");
        let base = format!("http://{}", server.addr());
        // Every test has its own server, so a connection that is kept alive serves no other test.
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self {
            base,
            clock,
            hub,
            service,
            agents,
            presence,
            revocations,
            download_tickets,
            signing_keys,
            attachments,
            client,
            server,
            durable,
            _guard: guard,
        }
    }

    /// Shuts down in the order of the real binary.
    pub(crate) async fn stop(self) {
        self.server.drain();
        self.hub.shutdown();
        self.service.close_sockets();
        drop(self.client);
        self.server.stop(Duration::from_secs(5)).await;
        match self.durable {
            Some(Durable::Sqlite(store)) => store.close().await,
            Some(Durable::Postgres(store)) => store.close().await,
            None => {}
        }
    }

    /// Stops the server without closing its sockets.
    pub(crate) async fn stop_server(self, limit: Duration) {
        drop(self.client);
        self.server.stop(limit).await;
    }

    /// Makes the server say that it is not ready, as it does when it is about to stop.
    pub(crate) fn drain(&self) {
        self.server.drain();
    }

    /// A token that is valid for an hour.
    pub(crate) fn token(&self, sub: &str, role: Role) -> String {
        let now = self.clock.now();
        token(sub, role, now, now.plus(Duration::from_hours(1)))
    }

    /// The token of a usual person: the agents bob and carol, the admin root, everyone else a user.
    pub(crate) fn token_of(&self, who: &str) -> String {
        let role = match who {
            "bob" | "carol" => Role::Agent,
            "root" => Role::Admin,
            _ => Role::User,
        };
        self.token(who, role)
    }

    /// The token of a usual person, which says what they are called and where their picture is.
    pub(crate) fn token_with(&self, who: &str, name: Option<&str>, picture: Option<&str>) -> String {
        let role = match who {
            "bob" | "carol" => Role::Agent,
            "root" => Role::Admin,
            _ => Role::User,
        };
        let now = self.clock.now();
        let claims = TokenClaims {
            sub: who.to_owned(),
            role: Some(role.as_str().to_owned()),
            name: name.map(str::to_owned),
            picture: picture.map(str::to_owned),
            issuer: None,
            audience: None,
            issued_at: now,
            expires_at: now.plus(Duration::from_hours(1)),
        };
        sign_hs256(SECRET, &claims).expect("a signed token")
    }

    /// A request without a token.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// A request by a usual person.
    pub(crate) fn request(&self, who: &str, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(self.token_of(who))
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> Answer {
        send(self.request(who, Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, who: &str, path: &str) -> Answer {
        send(self.request(who, Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, who: &str, path: &str, body: Value) -> Answer {
        send(self.request(who, Method::POST, path).json(&body)).await
    }

    pub(crate) async fn put(&self, who: &str, path: &str, body: Value) -> Answer {
        send(self.request(who, Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, who: &str, path: &str, body: Value) -> Answer {
        send(self.request(who, Method::PATCH, path).json(&body)).await
    }

    /// Opens a session and returns its id.
    pub(crate) async fn open_session(&self, who: &str) -> String {
        let session = self.post(who, "/api/chat/sessions", json!({})).await.expect(201);
        session["id"].as_str().expect("an id").to_owned()
    }

    /// Opens a session of `user` that `agent` has claimed.
    pub(crate) async fn open_assigned(&self, user: &str, agent: &str) -> String {
        let id = self.open_session(user).await;
        self.put(agent, &format!("/api/chat/sessions/{id}/assign"), json!({ "agentId": agent })).await.expect(200);
        id
    }

    /// Sends a message and returns it.
    pub(crate) async fn say(&self, who: &str, session: &str, content: &str) -> Value {
        self.post(who, &format!("/api/chat/sessions/{session}/messages"), json!({ "content": content }))
            .await
            .expect(201)
    }

    /// Tickets for downloads, as another node on the same database issues them.
    pub(crate) fn other_node_tickets(&self) -> DownloadTickets {
        DownloadTickets::new(Arc::clone(&self.signing_keys))
    }

    /// How many files the attachment store keeps.
    pub(crate) async fn stored_files(&self) -> usize {
        let end_of_time = self.clock.now().plus(Duration::from_hours(24 * 365 * 100));
        self.attachments.stored_before(end_of_time, None, 1_000).await.expect("a list").len()
    }

    /// Lets so much time pass that the next word about typing is spread at once, and what waited is.
    pub(crate) fn let_typing_wait_no_longer(&self) {
        self.clock.advance(Duration::from_secs(2));
        self.hub.tick();
    }

    /// Waits until no session is watched: a server notices only some time after its last frame that a peer is
    /// gone, and nothing tells when.
    pub(crate) async fn until_no_session_is_watched(&self) {
        let unwatched = async {
            while self.hub.subscriptions() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), unwatched).await.expect("every watcher leaves");
    }

    /// Opens a socket; `query` is empty or starts with `?`.
    pub(crate) async fn watch(&self, who: &str, session: &str, query: &str) -> TestSocket {
        TestSocket::open(&self.base, session, query, &self.token_of(who)).await
    }

    /// Opens a socket of many sessions.
    pub(crate) async fn open_socket(&self, who: &str) -> TestSocket {
        TestSocket::open_multiplexed(&self.base, &self.token_of(who)).await.0
    }

    /// Opens a socket in extended mode, and returns it with the data of its `hello`.
    pub(crate) async fn watch_extended(&self, who: &str, session: &str, query: &str) -> (TestSocket, Value) {
        TestSocket::open_extended(&self.base, session, query, &self.token_of(who)).await
    }
}

/// Sends a request and reads the answer.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.expect("an answer")).await
}

/// A token signed with the secret that the server trusts.
pub(crate) fn token(sub: &str, role: Role, issued_at: Timestamp, expires_at: Timestamp) -> String {
    let claims = TokenClaims {
        sub: sub.to_owned(),
        role: Some(role.as_str().to_owned()),
        name: None,
        picture: None,
        issuer: None,
        audience: None,
        issued_at,
        expires_at,
    };
    sign_hs256(SECRET, &claims).expect("a signed token")
}

type Adapters = (Ports, Arc<dyn SigningKeyStore>, Vec<Arc<dyn HealthProbe>>, Option<Durable>, Box<dyn Any + Send>);

/// The maker of the real server, for which the stores of the tests are no different. A message waits as long as it takes for
/// the colours of its pictures, so that it has them on a busy machine too.
fn thumbnail_maker(store: Arc<impl AttachmentStore + ThumbnailStore + 'static>) -> Arc<dyn ThumbnailMaker> {
    let patience = ThumbnailTimeouts { color: Duration::from_secs(30), ..ThumbnailTimeouts::default() };
    Arc::new(ImageThumbnailMaker::with_timeouts(Handle::current(), Arc::clone(&store) as _, store, patience))
}

/// Live inboxes as the real server has them, with the task that keeps them true until the hub is shut down.
fn inbox_feed(hub: &Arc<Hub>, sessions: Arc<dyn InboxReader>) -> Arc<dyn InboxFeed> {
    tokio::spawn(run_inboxes(Arc::clone(hub), Arc::clone(&sessions)));
    HubInboxFeed::new(Arc::clone(hub.inboxes()), sessions)
}

async fn in_memory(hub: &Arc<Hub>, clock: &Arc<FixedClock>) -> Adapters {
    let store = MemoryStore::new(Arc::clone(hub) as _);
    let attachments = MemoryAttachmentStore::new(Arc::clone(clock) as _);
    let epoch = store.epoch().await.expect("an epoch");
    let ports = Ports {
        sessions: Arc::clone(&store) as _,
        messages: Arc::clone(&store) as _,
        events: Arc::clone(&store) as _,
        stats: Arc::clone(&store) as _,
        agents: Arc::clone(&store) as _,
        people: Arc::clone(&store) as _,
        presence: Arc::clone(&store) as _,
        revocations: Arc::clone(&store) as _,
        uploads: Arc::clone(&store) as _,
        attachments: Arc::clone(&attachments) as _,
        thumbnails: Arc::clone(&attachments) as _,
        thumbnail_maker: thumbnail_maker(attachments),
        notifier: Arc::clone(hub) as _,
        feed: HubFeed::new(Arc::clone(hub), Arc::clone(&store) as _, epoch),
        inboxes: inbox_feed(hub, Arc::clone(&store) as _),
        sockets: LocalSockets::new(Arc::clone(hub) as _),
        tickets: Arc::new(MemoryTicketStore::new()),
        clock: Arc::clone(clock) as _,
        ids: Arc::new(SequentialIds::new()),
    };
    (ports, Arc::clone(&store) as _, vec![store, HubHealthProbe::new(Arc::clone(hub))], None, Box::new(()))
}

/// How long a request waits for its database: on a machine that is busy with much else, longer than for a person.
const UNHURRIED: Duration = Duration::from_mins(2);

async fn on_sqlite(hub: &Arc<Hub>, clock: &Arc<FixedClock>) -> Adapters {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("chat.db");
    chat_sqlite::migrate::up(&path).expect("the migrations run");
    let config = SqliteConfig { read_timeout: UNHURRIED, write_timeout: UNHURRIED, ..SqliteConfig::new(path) };
    let store = SqliteStore::open(config, Arc::clone(hub) as _).await.expect("the store opens");
    let attachments = LocalAttachmentStore::open(dir.path().join("attachments")).expect("the attachment store opens");
    let attachments = Arc::new(attachments);
    let epoch = store.events.epoch().await.expect("an epoch");
    let ports = Ports {
        sessions: Arc::clone(&store.sessions) as _,
        messages: Arc::clone(&store.messages) as _,
        events: Arc::clone(&store.events) as _,
        stats: Arc::clone(&store.stats) as _,
        agents: Arc::clone(&store.agents) as _,
        people: Arc::clone(&store.people) as _,
        presence: Arc::clone(&store.presence) as _,
        revocations: Arc::clone(&store.revocations) as _,
        uploads: Arc::clone(&store.uploads) as _,
        attachments: Arc::clone(&attachments) as _,
        thumbnails: Arc::clone(&attachments) as _,
        thumbnail_maker: thumbnail_maker(Arc::clone(&attachments)),
        notifier: Arc::clone(hub) as _,
        feed: HubFeed::new(Arc::clone(hub), Arc::clone(&store.events) as _, epoch),
        inboxes: inbox_feed(hub, Arc::clone(&store.sessions) as _),
        sockets: LocalSockets::new(Arc::clone(hub) as _),
        tickets: Arc::clone(&store.tickets) as _,
        clock: Arc::clone(clock) as _,
        ids: Arc::new(SequentialIds::new()),
    };
    let probes: Vec<Arc<dyn HealthProbe>> =
        vec![Arc::clone(&store.health) as _, attachments, HubHealthProbe::new(Arc::clone(hub))];
    (ports, Arc::clone(&store.signing_keys) as _, probes, Some(Durable::Sqlite(store)), Box::new(dir))
}

async fn on_postgres(hub: &Arc<Hub>, clock: &Arc<FixedClock>) -> Adapters {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let database = TestDatabase::reused(
        "migrated",
        KeepRows::Of(&["__diesel_schema_migrations", "chat_epoch", "chat_fanout_key", "chat_identity"]),
        |url| {
            chat_postgres::migrate::up(url).expect("the migrations run");
        },
    );
    // Each connection is a process of the server, which takes longer to start than most tests to run.
    let (read_timeout, write_timeout) = (UNHURRIED, UNHURRIED);
    let config = PgConfig { readers: 2, writers: 1, read_timeout, write_timeout, ..PgConfig::new(database.url()) };
    let store = PgStore::open(config, Arc::clone(hub) as _).await.expect("the store opens");
    let attachments = LocalAttachmentStore::open(dir.path().join("attachments")).expect("the attachment store opens");
    let attachments = Arc::new(attachments);
    let epoch = store.events.epoch().await.expect("an epoch");
    let ports = Ports {
        sessions: Arc::clone(&store.sessions) as _,
        messages: Arc::clone(&store.messages) as _,
        events: Arc::clone(&store.events) as _,
        stats: Arc::clone(&store.stats) as _,
        agents: Arc::clone(&store.agents) as _,
        people: Arc::clone(&store.people) as _,
        presence: Arc::clone(&store.presence) as _,
        revocations: Arc::clone(&store.revocations) as _,
        uploads: Arc::clone(&store.uploads) as _,
        attachments: Arc::clone(&attachments) as _,
        thumbnails: Arc::clone(&attachments) as _,
        thumbnail_maker: thumbnail_maker(Arc::clone(&attachments)),
        notifier: Arc::clone(hub) as _,
        feed: HubFeed::new(Arc::clone(hub), Arc::clone(&store.events) as _, epoch),
        inboxes: inbox_feed(hub, Arc::clone(&store.sessions) as _),
        sockets: LocalSockets::new(Arc::clone(hub) as _),
        tickets: Arc::clone(&store.tickets) as _,
        clock: Arc::clone(clock) as _,
        ids: Arc::new(SequentialIds::new()),
    };
    let probes: Vec<Arc<dyn HealthProbe>> =
        vec![Arc::clone(&store.health) as _, attachments, HubHealthProbe::new(Arc::clone(hub))];
    (ports, Arc::clone(&store.signing_keys) as _, probes, Some(Durable::Postgres(store)), Box::new((dir, database)))
}
