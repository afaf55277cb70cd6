//! The newest page from memory: never anything but what a server without a cache says.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::error::ChatError;
use chat_domain::model::{
    AttachmentId, MessageId, MessageQuery, PageOutcome, Principal, Seq, SessionId, SessionSnapshot,
};
use chat_domain::ports::{AttachmentLookup, MessageLookup, MessageRepository};
use chat_domain::write::{SessionWrite, WriteReply};
use chat_http::{Api, HttpSettings, Mounts, Server};
use chat_identity::{TokenRules, TokenVerifier};
use chat_testkit::fixtures;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{Options, SECRET, send};
use crate::support::{Answer, Form, Store, TestApp};

/// A second server on the same ports, without a cache.
struct Uncached {
    server: Server,
    client: reqwest::Client,
}

impl Uncached {
    fn beside(app: &TestApp) -> Self {
        let api = Api {
            service: app.service.clone(),
            clock: Arc::clone(&app.clock) as _,
            tokens: TokenVerifier::hs256(SECRET, TokenRules::default()),
            download_tickets: app.download_tickets.clone(),
            probes: Vec::new(),
            settings: HttpSettings { page_cache_bytes: 0, ..HttpSettings::default() },
            access_log: None,
            traces: None,
            mounts: Mounts::default(),
        };
        let server = Server::start(TcpListener::bind("127.0.0.1:0").unwrap(), api, 1).unwrap();
        Self { server, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// Asks under the address of `app`, so that the addresses of files are the same.
    async fn get(&self, app: &TestApp, who: &str, path: &str) -> Answer {
        let host = app.base.strip_prefix("http://").unwrap();
        let request = self.client.get(format!("http://{}{path}", self.server.addr()));
        send(request.header("host", host).bearer_auth(app.token_of(who))).await
    }

    async fn stop(self) {
        drop(self.client);
        self.server.stop(Duration::from_secs(5)).await;
    }
}

/// Status, body and all headers but those that differ between any two answers.
fn shown(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let own = |name: &str| name == "x-request-id" || name == "date";
    let headers = answer.headers.iter().filter(|(name, _)| !own(name.as_str()));
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    headers.sort_unstable();
    (answer.status.as_u16(), headers, String::from_utf8(answer.bytes.clone()).unwrap())
}

fn messages_of(session: &str) -> String {
    format!("/api/chat/sessions/{session}/messages")
}

async fn send_file(app: &TestApp, who: &str, session: &str) {
    let form = Form::new().text("content", "see").file(0, "a.txt", "text/plain", b"some text");
    send(form.to(app, who, session)).await.expect(201);
}

async fn mark_read(app: &TestApp, who: &str, session: &str, ids: &[Value]) {
    app.put(who, &format!("/api/chat/sessions/{session}/read"), json!({ "messageIds": ids })).await.expect(204);
}

async fn mark_delivered(app: &TestApp, who: &Principal, session: &str) {
    let session = SessionId::parse(session).unwrap();
    app.service.mark_delivered(who, session, Seq::new(i64::MAX.unsigned_abs())).await.unwrap();
}

on_every_store! {
    async fn a_page_from_memory_is_the_page_from_the_store_byte_for_byte(app) {
        let uncached = Uncached::beside(app);
        let id = app.open_assigned("alice", "bob").await;
        let first = app.say("alice", &id, "\"quoted\" \\ \u{1f600} \u{2028} \u{1}").await;
        send_file(app, "alice", &id).await;
        app.say("bob", &id, "thanks").await;
        mark_read(app, "bob", &id, &[first["id"].clone()]).await;
        mark_delivered(app, &fixtures::bob(), &id).await;
        // The second round is served from what the widest page of the first one left.
        for round in 0..2 {
            for limit in (1..=5).chain([50, 100]) {
                for who in ["alice", "bob", "root"] {
                    let path = format!("{}?limit={limit}", messages_of(&id));
                    let expected = shown(&uncached.get(app, who, &path).await);
                    let read = shown(&app.get(who, &path).await);
                    assert_eq!(read, expected, "round {round}, limit {limit}");
                    assert_eq!((read.0, read.2.contains("attachments")), (200, limit > 1));
                }
            }
        }
        uncached.stop().await;
    }

    async fn every_change_shows_in_the_next_read(app) {
        let uncached = Uncached::beside(app);
        let id = app.open_assigned("alice", "bob").await;
        let path = messages_of(&id);
        let mut seen = vec![shown(&app.get("root", &path).await)];
        let mut sent = Value::Null;
        for change in ["message", "delivered", "read", "file", "transfer", "close"] {
            // What was read last is in memory now.
            assert_eq!(shown(&app.get("root", &path).await), seen[seen.len() - 1]);
            match change {
                "message" => sent = app.say("alice", &id, "hello").await["id"].clone(),
                "delivered" => mark_delivered(app, &fixtures::bob(), &id).await,
                "read" => mark_read(app, "bob", &id, &[sent.clone()]).await,
                "file" => send_file(app, "alice", &id).await,
                "transfer" => {
                    let body = json!({ "agentId": null });
                    app.put("bob", &format!("/api/chat/sessions/{id}/transfer"), body).await.expect(200);
                }
                _ => {
                    app.put("alice", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
                }
            }
            let now = shown(&app.get("root", &path).await);
            assert!(!seen.contains(&now), "{change} does not show");
            assert_eq!(now, shown(&uncached.get(app, "root", &path).await), "{change}");
            seen.push(now);
        }
        uncached.stop().await;
    }

    async fn a_page_in_memory_is_for_those_who_may_see_the_session(app) {
        let id = app.open_assigned("alice", "bob").await;
        let path = messages_of(&id);
        app.say("alice", &id, "between us").await;
        for who in ["alice", "bob", "alice", "bob"] {
            app.get(who, &path).await.expect(200);
            for stranger in ["mallory", "carol"] {
                app.get(stranger, &path).await.expect_error(403, "FORBIDDEN");
            }
            send(app.anonymous(Method::GET, &path)).await.expect_error(401, "UNAUTHENTICATED");
        }
        let body = json!({ "agentId": "carol" });
        // An agent is in the directory from the first request on; carol has made hers above.
        app.put("bob", &format!("/api/chat/sessions/{id}/transfer"), body).await.expect(200);
        app.get("alice", &path).await.expect(200);
        app.get("bob", &path).await.expect_error(403, "FORBIDDEN");
        app.get("carol", &path).await.expect(200);
        let unknown = messages_of(&fixtures::session_id(404).to_string());
        app.get("root", &unknown).await.expect_error(404, "SESSION_NOT_FOUND");
    }

    async fn a_wrong_query_is_reported_although_the_page_is_cached(app) {
        let id = app.open_session("alice").await;
        let path = messages_of(&id);
        app.get("alice", &path).await.expect(200);
        app.get("alice", &format!("{path}?limit=0")).await.expect_invalid("limit");
        app.get("alice", &format!("{path}?before={}", fixtures::message_id(404))).await.expect_invalid("before");
    }

    async fn addresses_of_files_are_those_under_which_the_page_is_asked_for(app) {
        let id = app.open_session("alice").await;
        send_file(app, "alice", &id).await;
        for host in ["one.example", "two.example", "one.example", "one.example"] {
            let request = app.request("alice", Method::GET, &messages_of(&id)).header("host", host);
            let page = send(request).await.expect(200);
            let url = page["messages"][0]["attachments"][0]["url"].as_str().unwrap();
            assert!(url.starts_with(&format!("http://{host}/api/chat/attachments/")), "{url}");
        }
    }

    async fn cached_pages_equal_the_stores_in_any_order_of_events(app) {
        let uncached = Uncached::beside(app);
        let mut dice = SeededRandom(0x5eed);
        let mut sessions = Vec::new();
        for _ in 0..3 {
            sessions.push((app.open_assigned("alice", "bob").await, Vec::new()));
        }
        for step in 0..250 {
            let (id, sent) = &mut sessions[dice.roll(3)];
            let (who, principal) = [("alice", fixtures::alice()), ("bob", fixtures::bob())][dice.roll(2)].clone();
            match dice.roll(10) {
                0 | 1 => sent.push(app.say(who, id, &format!("m{step}")).await["id"].clone()),
                2 => send_file(app, who, id).await,
                3 if !sent.is_empty() => mark_read(app, who, id, &[sent[dice.roll(sent.len())].clone()]).await,
                4 => mark_delivered(app, &principal, id).await,
                _ => {
                    let path = format!("{}?limit={}", messages_of(id), 1 + dice.roll(12));
                    let read = shown(&app.get(who, &path).await);
                    assert_eq!(read, shown(&uncached.get(app, who, &path).await), "step {step}, {path}");
                }
            }
        }
        uncached.stop().await;
    }

    async fn readers_among_senders_get_the_page_that_belongs_to_the_position(app) {
        const MESSAGES: u64 = 60;
        let id = &app.open_session("alice").await;
        let path = &messages_of(id);
        let said = &std::sync::atomic::AtomicU64::new(0);
        let sender = async move {
            for n in 1..=MESSAGES {
                app.say("alice", id, &format!("m{n}")).await;
                said.store(n, std::sync::atomic::Ordering::SeqCst);
            }
        };
        let reader = async move |limit: u64| {
            let mut position = 0;
            // One change opened the session, each other one is a message.
            while position < MESSAGES + 1 {
                let at_least = said.load(std::sync::atomic::Ordering::SeqCst) + 1;
                let answer = app.get("alice", &format!("{path}?limit={limit}")).await;
                let seq: u64 = answer.header("x-chat-seq").parse().unwrap();
                assert!(seq >= at_least && seq >= position, "{seq} after {at_least} and {position}");
                position = seq;
                let page = answer.expect(200);
                let expected: Vec<_> = (seq.saturating_sub(limit).max(1)..seq).map(|n| format!("m{n}")).collect();
                assert_eq!(super::contents(&page), expected);
                assert_eq!((&page["totalCount"], &page["hasMore"]), (&json!(seq - 1), &json!(seq - 1 > limit)));
            }
        };
        futures_util::join!(sender, reader(3), reader(50), reader(3), reader(50));
    }
}

/// Numbers that look random and are the same in every run (xorshift64).
struct SeededRandom(u64);

impl SeededRandom {
    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Returns each page once: a second request for it fails as unavailable.
struct SingleUsePages {
    inner: Arc<dyn MessageRepository>,
    given: Mutex<HashSet<(SessionId, Seq, u32)>>,
}

#[async_trait]
impl MessageRepository for SingleUsePages {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.inner.write(write).await
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        let snapshot = self.inner.page(session, query).await?;
        if let Some(SessionSnapshot { session, page: PageOutcome::Page(_) }) = &snapshot {
            let page = (session.id, session.progress.last_seq, query.limit.get());
            if !self.given.lock().unwrap().insert(page) {
                return Err(ChatError::unavailable("the page was read again"));
            }
        }
        Ok(snapshot)
    }

    async fn find(&self, session: SessionId, message: MessageId) -> Result<Option<MessageLookup>> {
        self.inner.find(session, message).await
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentLookup>> {
        self.inner.find_attachment(id).await
    }

    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        self.inner.unknown_attachments(ids).await
    }
}

fn pages_given_once(page_cache_bytes: usize) -> Options {
    Options {
        http: HttpSettings { page_cache_bytes, ..HttpSettings::default() },
        replace_ports: Some(|mut ports| {
            ports.messages = Arc::new(SingleUsePages { inner: ports.messages, given: Mutex::default() });
            ports
        }),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_page_is_read_from_the_store_once_until_something_changes() {
    for store in [Store::Memory, Store::Sqlite] {
        let app = TestApp::with(store, pages_given_once(HttpSettings::default().page_cache_bytes)).await;
        let id = app.open_session("alice").await;
        for n in 1..=3 {
            app.say("alice", &id, &format!("m{n}")).await;
            for who in ["alice", "root", "alice"] {
                app.get(who, &messages_of(&id)).await.expect(200);
                app.get(who, &format!("{}?limit=2", messages_of(&id))).await.expect(200);
            }
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn without_a_page_cache_each_page_is_read_from_the_store() {
    let app = TestApp::with(Store::Memory, pages_given_once(0)).await;
    let id = app.open_session("alice").await;
    app.get("alice", &messages_of(&id)).await.expect(200);
    app.get("alice", &messages_of(&id)).await.expect_error(503, "UNAVAILABLE");
    app.stop().await;
}
