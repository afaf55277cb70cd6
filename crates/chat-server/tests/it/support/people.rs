//! Someone who uses the API.

use std::net::SocketAddr;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// A person with a token.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) token: String,
    addr: SocketAddr,
    client: Client,
}

impl Person {
    pub(crate) fn new(addr: SocketAddr, token: &str) -> Self {
        Self { token: token.to_owned(), addr, client: Client::new() }
    }

    /// The same person at a server that has moved.
    pub(crate) fn at(&self, addr: SocketAddr) -> Self {
        Self { addr, ..self.clone() }
    }

    /// Another person at the same server, over the connections of this one: those of one's own take a while to make.
    pub(crate) fn with_token(&self, token: String) -> Self {
        Self { token, ..self.clone() }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.addr)).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Response {
        self.request(Method::PUT, path).json(body).send().await.unwrap()
    }

    /// A body that must come with this status.
    pub(crate) async fn json(response: Response, status: u16) -> Value {
        let actual = response.status();
        let body = response.text().await.unwrap();
        assert_eq!(actual, status, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Opens a session and gives its id.
    pub(crate) async fn open_session(&self, subject: &str) -> String {
        let answer = self.post("/api/chat/sessions", &json!({ "subject": subject })).await;
        Self::json(answer, 201).await["id"].as_str().unwrap().to_owned()
    }

    /// All messages of a session in order, and the position that its newest change had at first.
    pub(crate) async fn all_messages(&self, session: &str) -> (Vec<Value>, u64) {
        let mut pages = Vec::new();
        let mut before = String::new();
        let mut head = None;
        loop {
            let page = self.get(&format!("/api/chat/sessions/{session}/messages?limit=100{before}")).await;
            let seq = page.headers().get("X-Chat-Seq").map(|seq| seq.to_str().unwrap().parse().unwrap());
            head = head.or(seq);
            let page = Self::json(page, 200).await;
            let messages = page["messages"].as_array().unwrap().clone();
            before =
                messages.first().map_or(String::new(), |first| format!("&before={}", first["id"].as_str().unwrap()));
            pages.push(messages);
            if page["hasMore"] == json!(false) {
                let listed: Vec<Value> = pages.into_iter().rev().flatten().collect();
                assert_eq!(page["totalCount"], json!(listed.len()));
                return (listed, head.unwrap());
            }
        }
    }
}
