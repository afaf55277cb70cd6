//! Sockets whose tokens were signed with a key that the identity provider has removed since.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{SessionId, TicketDigest};
use chat_http::{HttpSettings, SocketSettings};
use chat_identity::{KeySetLocation, KeySetSettings, RemoteKeySet, TokenRules, TokenVerifier};
use chat_testkit::{FixedClock, fixtures};
use reqwest::Method;
use serde_json::{Value, json};
use test_servers::identity::{IdentityProvider, TokenSigningKey};
use tokio::task::JoinSet;

use crate::support::app::{Options, send};
use crate::support::handshake::{handshake, status};
use crate::support::{Answer, Store, TestApp, TestSocket};

const SESSIONS: &str = "/api/chat/sessions";

/// A server with the keys of a provider, which it keeps current.
struct KeySetApp {
    app: TestApp,
    provider: IdentityProvider,
    _refresh: JoinSet<()>,
}

impl KeySetApp {
    /// A server that starts with these keys.
    async fn start(keys: &[&TokenSigningKey]) -> Self {
        let provider = IdentityProvider::start().unwrap();
        provider.publish(keys).unwrap();
        let key_set = open(&provider).await;
        let sockets = SocketSettings { recheck_every: Duration::from_millis(20), ..SocketSettings::default() };
        let http = HttpSettings { sockets, ..HttpSettings::default() };
        let verifier = Some(TokenVerifier::with_key_set(Arc::clone(&key_set), TokenRules::default()));
        let app = TestApp::with(Store::Memory, Options { http, verifier, ..Options::default() }).await;
        let mut refresh = JoinSet::new();
        refresh.spawn(async move { key_set.keep_current().await });
        Self { app, provider, _refresh: refresh }
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: &Value) -> Answer {
        send(self.app.anonymous(method, path).bearer_auth(token).json(body)).await
    }

    async fn list(&self, token: &str) -> Answer {
        send(self.app.anonymous(Method::GET, SESSIONS).bearer_auth(token)).await
    }

    async fn open_session(&self, token: &str) -> String {
        let session = self.send(Method::POST, SESSIONS, token, &json!({})).await.expect(201);
        session["id"].as_str().unwrap().to_owned()
    }

    /// The query of a socket with a ticket that is asked for with this token.
    async fn ticket(&self, token: &str, session: &str) -> String {
        let path = format!("{SESSIONS}/{session}/ws-ticket");
        let ticket = send(self.app.anonymous(Method::POST, &path).bearer_auth(token)).await.expect(201);
        format!("?ticket={}", ticket["ticket"].as_str().unwrap())
    }
}

/// The keys as they are published now.
async fn open(provider: &IdentityProvider) -> Arc<RemoteKeySet> {
    let location = KeySetLocation::parse_url(&provider.key_set_url()).unwrap();
    let settings = KeySetSettings { location, allow_private_hosts: true, kept_in: None };
    RemoteKeySet::open(settings, Arc::new(FixedClock::new())).await.unwrap()
}

fn key(id: &str) -> TokenSigningKey {
    TokenSigningKey::generate("ES256", id).unwrap()
}

/// A token of alice for an hour.
fn token(key: &TokenSigningKey) -> String {
    key.token(&json!({ "sub": "alice", "exp": fixtures::START / 1_000 + 3_600 }).to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_of_a_removed_key_close_and_those_of_the_other_keys_stay() {
    let [first, second, third] = ["first", "second", "third"].map(key);
    let server = KeySetApp::start(&[&first, &second]).await;
    let (base, old, new) = (&server.app.base, token(&first), token(&second));
    let session = server.open_session(&old).await;
    let mut by_token = TestSocket::open(base, &session, "", &old).await;
    let ticket = server.ticket(&old, &session).await;
    let mut by_ticket = TestSocket::try_open(base, &session, &ticket, &[]).await.unwrap();
    let mut of_second = TestSocket::open(base, &session, "", &new).await;
    let ticket = server.ticket(&new, &session).await;
    let mut by_new_ticket = TestSocket::try_open(base, &session, &ticket, &[]).await.unwrap();
    let (mut renewed, _) = TestSocket::open_extended(base, &session, "", &old).await;
    renewed.say("auth", json!({ "token": new })).await;
    assert_eq!(renewed.next().await["type"], "auth_ok");
    let unused = server.ticket(&old, &session).await;
    let mut bare = TestSocket::open_multiplexed(base, &old).await.0;
    let mut subscribed = TestSocket::open_multiplexed(base, &old).await.0;
    subscribed.subscribe(&session, json!({})).await;

    server.provider.publish(&[&second, &third]).unwrap();
    // A token of a key that is not known yet causes a fetch, as time does.
    server.list(&token(&third)).await.expect(200);
    server.list(&old).await.expect_error(401, "UNAUTHENTICATED");
    for socket in [&mut by_token, &mut by_ticket, &mut bare, &mut subscribed] {
        assert_eq!(socket.closed().await, (4401, "key removed".to_owned()));
    }
    assert_eq!(status(handshake(&server.app, &session, &unused)).await, 401, "a ticket from before");
    let path = format!("{SESSIONS}/{session}/messages");
    server.send(Method::POST, &path, &new, &json!({ "content": "still here" })).await.expect(201);
    for socket in [&mut of_second, &mut by_new_ticket, &mut renewed] {
        assert_eq!(socket.next().await["data"]["content"], "still here");
    }
    server.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_of_a_key_that_only_another_node_knows_opens_a_socket() {
    let [first, second] = ["first", "second"].map(key);
    let server = KeySetApp::start(&[&first]).await;
    let session = server.open_session(&token(&first)).await;
    server.provider.publish(&[&first, &second]).unwrap();
    let other_node = TokenVerifier::with_key_set(open(&server.provider).await, TokenRules::default());
    let verified = other_node.verify(&token(&second), fixtures::start()).unwrap();
    let text = "A".repeat(43);
    let id = SessionId::parse(&session).unwrap();
    let digest = TicketDigest::of(&text);
    server.app.service.issue_ticket(&verified.principal, id, verified.expires_at, digest).await.unwrap();
    let mut socket = TestSocket::try_open(&server.app.base, &session, &format!("?ticket={text}"), &[]).await.unwrap();
    let path = format!("{SESSIONS}/{session}/messages");
    server.send(Method::POST, &path, &token(&first), &json!({ "content": "hello" })).await.expect(201);
    assert_eq!(socket.next().await["data"]["content"], "hello");
    server.app.stop().await;
}
