//! `docs/deployment/nginx.conf` before two nodes that are set as in `compose.yml`, on one PostgreSQL and one Redis: the
//! files as they are, with the addresses of the test in place of theirs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use test_servers::nginx::{NginxSite, PrivateNginx};
use test_servers::postgres::TestDatabase;
use test_servers::redis::PrivateRedis;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{Person, Scrape, TestServer, chat_server, eventually, next_event, run};

/// More than nginx keeps in memory.
const FILE_BYTES: usize = 20 * 1000 * 1000;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deployment").join(name)
}

/// The text with another part, which it must have.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replace(from, to)
}

/// The options of the nodes in `compose.yml`, with the directory in place of where volumes and secrets are mounted.
fn options(home: &Path) -> BTreeMap<String, String> {
    let compose = fs::read_to_string(shipped("compose.yml")).unwrap();
    let options = compose.split("environment: &options\n").nth(1).unwrap();
    let home = home.to_str().unwrap();
    let option = |line: &str| {
        let (name, value) = line.strip_prefix("    CHAT_")?.split_once(": ")?;
        let secrets = format!("{home}/secrets");
        let value = value.trim_matches('"').replace("/run/secrets", &secrets).replace("/var/lib/chat", home);
        Some((format!("CHAT_{name}"), value))
    };
    let options: BTreeMap<_, _> =
        options.lines().take_while(|line| line.starts_with("    ")).filter_map(option).collect();
    assert!(options.len() > 4 && options["CHAT_MIGRATE"] == "off", "{options:?}");
    options
}

/// The block `http` of nginx.conf for these nodes.
pub(crate) fn site(site: &NginxSite<'_>, nodes: &[&TestServer], home: &Path) -> String {
    let shipped = fs::read_to_string(shipped("nginx.conf")).unwrap();
    let http = shipped.split_once("http {").unwrap().1.rsplit_once('}').unwrap().0;
    let mut http = replaced(http, "listen 443 ssl;", &format!("listen 127.0.0.1:{} ssl;", site.port));
    http = replaced(&http, "listen 80;", &format!("listen unix:{};", home.join("port-80").display()));
    http = replaced(&http, "/var/log/nginx/access.log", home.join("access.log").to_str().unwrap());
    http = replaced(&http, "/run/secrets/tls-certificate", site.certificate.to_str().unwrap());
    http = replaced(&http, "/run/secrets/tls-key", site.key.to_str().unwrap());
    for (index, node) in nodes.iter().enumerate() {
        http = replaced(&http, &format!("node-{}:8080", index + 1), &node.addr.to_string());
    }
    http
}

/// A connection to nginx with TLS.
pub(crate) async fn connect_tls(nginx: &PrivateNginx) -> TlsStream<TcpStream> {
    let mut authorities = RootCertStore::empty();
    authorities.add(CertificateDer::from_pem_slice(&nginx.authority().unwrap()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(authorities).with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", nginx.port())).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// What `make-secrets.sh` makes, in the directory.
struct Secrets(PathBuf);

impl Secrets {
    fn make(home: &Path) -> Self {
        fs::copy(shipped("make-secrets.sh"), home.join("make-secrets.sh")).unwrap();
        let done = Command::new("sh").arg(home.join("make-secrets.sh")).arg("localhost").status().unwrap();
        assert!(done.success());
        Self(home.join("secrets"))
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap().trim().to_owned()
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        fs::write(self.file(name), format!("{}\n", replaced(&self.read(name), from, to))).unwrap();
    }
}

/// What runs. The fields are dropped in this order.
struct Deployment {
    nginx: PrivateNginx,
    nodes: Vec<TestServer>,
    _redis: PrivateRedis,
    _database: TestDatabase,
    secrets: Secrets,
    home: TempDir,
}

impl Deployment {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let secrets = Secrets::make(home.path());
        // Redis as in compose.yml, where the nodes' account may do little.
        let users = secrets.file("redis-users");
        // Whether it is up is asked without a password here.
        secrets.replace("redis-users", "user default off", "user default on nopass +ping");
        let (database, redis) = (TestDatabase::empty(), PrivateRedis::start(&[("aclfile", &users)]).unwrap());
        secrets.replace("redis-url", "@redis:6379", &format!("@127.0.0.1:{}", redis.port()));
        fs::write(secrets.file("database-url"), format!("{}\n", database.url())).unwrap();
        let mut options = options(home.path());
        options.insert("CHAT_TRUSTED_PROXIES".to_owned(), "127.0.0.1".to_owned());
        let migrated = run(chat_server(&home.path().join("data")).envs(&options).args(["migrate", "up"]));
        assert_eq!(migrated.code, 0, "{}", migrated.stderr);
        let mut nodes = Vec::new();
        for name in ["node-1", "node-2"] {
            let data_dir = home.path().join(name);
            let configure = |command: &mut Command| {
                command.envs(&options).env("CHAT_LOG", "info,chat_http=debug");
            };
            nodes.push(TestServer::start_on(&data_dir, configure).await);
        }
        let both: Vec<&TestServer> = nodes.iter().collect();
        let nginx = PrivateNginx::start(|at| site(at, &both, home.path())).unwrap();
        fs::write(home.path().join("authority"), nginx.authority().unwrap()).unwrap();
        Self { nginx, nodes, _redis: redis, _database: database, secrets, home }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.nginx.port())
    }

    fn authority(&self) -> PathBuf {
        self.home.path().join("authority")
    }

    /// A person at the first node, past nginx.
    fn person(&self, sub: &str) -> Person {
        let mut command = chat_server(self.nodes[0].data_dir());
        command.env("CHAT_JWT_SECRET_FILE", self.secrets.file("jwt-secret"));
        let made = run(command.args(["token", "--sub", sub, "--role", "user"]));
        assert_eq!(made.code, 0, "{}", made.stderr);
        Person::new(self.nodes[0].addr, made.stdout.trim_end())
    }

    /// Calls nginx, and returns the head of the response in lower case, and its body.
    fn curl(&self, arguments: &[&str]) -> (String, String) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--http1.1", "--cacert"]).arg(self.authority());
        let done = curl.args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let response = String::from_utf8(done.stdout).unwrap();
        // A response to `Expect: 100-continue` stands before the response.
        let last = response.rfind("HTTP/1.1 ").unwrap();
        let (head, body) = response[last..].split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), body.to_owned())
    }

    /// As the person, with JSON.
    fn call(&self, person: &Person, arguments: &[&str]) -> (String, String) {
        let token = format!("Authorization: Bearer {}", person.token);
        self.curl(&[&["--header", &token, "--header", "Content-Type: application/json"], arguments].concat())
    }

    /// A socket of the session.
    async fn connect(&self, person: &Person, session: &str) -> WebSocketStream<TlsStream<TcpStream>> {
        let stream = connect_tls(&self.nginx).await;
        let url = self.url(&format!("/ws/chat/{session}")).replacen("https", "wss", 1);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("Authorization", format!("Bearer {}", person.token).parse().unwrap());
        // As a page of the service's own origin.
        request.headers_mut().insert("Origin", self.url("").parse().unwrap());
        client_async(request, stream).await.unwrap().0
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres, Redis, nginx and openssl: cargo xtask test"]
async fn the_first_message_passes_through_the_shipped_proxy() {
    let deployment = Deployment::start().await;
    let alice = deployment.person("alice");
    let mut script = Command::new("sh");
    script.arg(shipped("first-message.sh")).args([&deployment.url(""), &alice.token]).arg(deployment.authority());
    let done = script.output().unwrap();
    let (said, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.starts_with("The first message is in session "), "{said} {error}");
    // It does not say so in any case.
    let mut script = Command::new("sh");
    script.arg(shipped("first-message.sh")).args([&deployment.url(""), "no-token"]).arg(deployment.authority());
    assert!(!script.output().unwrap().status.success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres, Redis, nginx and openssl: cargo xtask test"]
async fn sockets_and_uploads_pass_through_the_shipped_proxy() {
    let deployment = Deployment::start().await;
    let alice = deployment.person("alice");
    let session = alice.open_session("behind nginx").await;
    // The one with the fewest connections gets the next, so each node has one.
    let mut sockets = [deployment.connect(&alice, &session).await, deployment.connect(&alice, &session).await];
    for node in &deployment.nodes {
        eventually("each node has a socket", async || Scrape::of(node).await.sum("chat_sockets_open") == 1).await;
        eventually("Redis lets it in", async || Scrape::of(node).await.value("chat_redis_peers_reachable") == "1")
            .await;
    }

    let file: Vec<u8> = (0..FILE_BYTES).map(|index| u8::try_from(index * index % 251).unwrap()).collect();
    let path = deployment.home.path().join("large.bin");
    fs::write(&path, &file).unwrap();
    let token = format!("Authorization: Bearer {}", alice.token);
    let part = format!("attachments[0]=@{}", path.display());
    let messages = deployment.url(&format!("/api/chat/sessions/{session}/messages"));
    let (head, body) = deployment.curl(&["--header", &token, "--form", &part, &messages]);
    assert!(head.starts_with("http/1.1 201 "), "{head} {body}");
    let message: Value = serde_json::from_str(&body).unwrap();
    let url = message["attachments"][0]["url"].as_str().unwrap();
    assert!(url.starts_with(&deployment.url("/api/chat/attachments/")), "{url}");
    for socket in &mut sockets {
        assert_eq!(next_event(socket).await["data"]["id"], message["id"]);
    }
    let copy = deployment.home.path().join("copy.bin");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--header", &token, "--cacert"]).arg(deployment.authority());
    assert!(curl.arg("--output").args([copy.to_str().unwrap(), url]).status().unwrap().success());
    assert!(fs::read(copy).unwrap() == file, "the file comes back as it was");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres, Redis, nginx and openssl: cargo xtask test"]
async fn the_shipped_proxy_replaces_what_a_client_claims_about_itself() {
    let deployment = Deployment::start().await;
    let alice = deployment.person("alice");
    let claims = [
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Prefix: /evil",
        "Forwarded: for=203.0.113.9;host=evil.example",
    ];
    let claims: Vec<&str> = claims.iter().flat_map(|claim| ["--header", claim]).collect();
    let sessions = deployment.url("/api/chat/sessions");
    let (head, _) = deployment.call(&alice, &[&claims[..], &["--data", "{}", &sessions]].concat());
    assert!(head.contains(&format!("location: {}", deployment.url("/api/chat/sessions/"))), "{head}");
    // A refused request has a line with the client's address.
    let (head, _) = deployment.curl(&[&claims[..], &[deployment.url("/nowhere").as_str()]].concat());
    assert!(head.starts_with("http/1.1 404 "), "{head}");
    let mut lines = Vec::new();
    eventually("a node logs the request", async || {
        lines = deployment.nodes.iter().flat_map(|node| node.stderr.so_far()).collect();
        lines.iter().any(|line| line.contains("ROUTE_NOT_FOUND"))
    })
    .await;
    let line = lines.iter().find(|line| line.contains("ROUTE_NOT_FOUND")).unwrap();
    assert!(line.contains("\"client.address\":\"127.0.0.1\""), "{line}");
    assert!(!lines.iter().any(|line| line.contains("203.0.113.9") || line.contains("evil")), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres, Redis, nginx and openssl: cargo xtask test"]
async fn the_shipped_proxy_redirects_to_tls_and_hides_health() {
    let deployment = Deployment::start().await;
    let hidden = [
        "/healthz",
        "/readyz",
        "/readyz/",
        "/%72eadyz",
        "/READYZ",
        "/support/healthz",
        "/support/readyz",
        "/a/b/readyz?c",
    ];
    for path in hidden {
        let refused = deployment.curl(&[&deployment.url(path)]);
        expect_error(&refused, 404, "ROUTE_NOT_FOUND");
        assert!(!refused.1.contains("\"ready\""), "{refused:?}");
    }
    let port_80 = deployment.home.path().join("port-80");
    let plain = ["--unix-socket", port_80.to_str().unwrap(), "http://chat.example.com/docs/?a=b"];
    let (head, _) = deployment.curl(&plain);
    assert!(head.starts_with("http/1.1 308 "), "{head}");
    assert!(head.contains("location: https://chat.example.com/docs/?a=b"), "{head}");
}

/// That a response of nginx itself has the form of the service's errors.
#[track_caller]
fn expect_error((head, body): &(String, String), status: u16, code: &str) {
    assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head} {body}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let error: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&error["success"], &error["error"]["code"]), (&false.into(), &code.into()), "{body}");
    assert!(error["message"] == error["error"]["message"] && error["error"]["details"].is_array(), "{body}");
    assert!(error["error"]["requestId"].as_str().is_some_and(|id| !id.is_empty()), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres, Redis, nginx and openssl: cargo xtask test"]
async fn refusals_of_the_shipped_proxy_have_the_form_of_the_services_errors() {
    let mut deployment = Deployment::start().await;
    let alice = deployment.person("alice");
    let sessions = deployment.url("/api/chat/sessions");
    let large = deployment.home.path().join("larger-than-the-limit.bin");
    fs::File::create(&large).unwrap().set_len(52 * 1024 * 1024).unwrap();
    let body = format!("@{}", large.display());
    // Without waiting for `100 Continue`, whose absence curl takes a second to notice.
    let refused = deployment.call(&alice, &["--header", "Expect:", "--data-binary", &body, &sessions]);
    expect_error(&refused, 413, "VALIDATION_FAILED");
    // A node's own error passes as it is.
    let refused = deployment.call(&alice, &["--data", "{", &sessions]);
    expect_error(&refused, 400, "VALIDATION_FAILED");
    for node in std::mem::take(&mut deployment.nodes) {
        node.kill();
    }
    let refused = deployment.call(&alice, &["--data", "{}", &sessions]);
    expect_error(&refused, 502, "UNAVAILABLE");
    assert!(refused.0.contains("retry-after: "), "{}", refused.0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres, Redis, nginx and openssl: cargo xtask test"]
async fn requests_go_on_at_the_other_node_when_one_is_gone() {
    let mut deployment = Deployment::start().await;
    let alice = deployment.person("alice");
    deployment.nodes.pop().unwrap().kill();
    let sessions = deployment.url("/api/chat/sessions");
    for number in 0..20 {
        let body = format!("{{\"subject\":\"{number}\"}}");
        let (head, body) = deployment.call(&alice, &["--data", &body, &sessions]);
        assert!(head.starts_with("http/1.1 201 "), "{number}: {head} {body}");
    }
}
