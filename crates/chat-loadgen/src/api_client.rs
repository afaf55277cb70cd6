//! Requests that must succeed: sessions that a run needs, and messages deep inside them. They are few and not measured;
//! a refusal stops the command with the service's own words.

use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::LoadError;
use crate::http::{HttpClient, HttpFailure, HttpResponse, RequestTemplate, Target, TemplateValues, is_success};

/// How much of a refusal is shown.
const SHOWN_CHARS: usize = 300;

/// A client of the API in the name of one person.
#[derive(Debug)]
pub struct ApiClient {
    http: HttpClient,
    target: Target,
    token: String,
}

#[derive(Deserialize)]
pub(crate) struct WithId {
    pub(crate) id: String,
}

/// A page of a session's messages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReceivedMessages {
    pub(crate) messages: Vec<PageMessage>,
    pub(crate) total_count: u64,
    pub(crate) has_more: bool,
}

/// What is needed of a message of a page.
#[derive(Debug, Deserialize)]
pub(crate) struct PageMessage {
    pub(crate) id: String,
    pub(crate) content: String,
}

#[derive(Deserialize)]
struct ReceivedSessions {
    sessions: Vec<WithId>,
}

impl ApiClient {
    /// Calls with this token; every response may take `limit`.
    pub fn new(target: Target, token: String, limit: Duration) -> Self {
        Self { http: HttpClient::new(target.clone(), limit), target, token }
    }

    /// Sends a `POST` with an idempotency key, whatever comes of it.
    pub(crate) async fn try_post(&mut self, path: &str, key: &str, body: &str) -> Result<HttpResponse, HttpFailure> {
        let template = RequestTemplate::json(Method::POST, &self.target, path, &self.token, body).with_key(key);
        // A request that cannot be made never left, as one without a connection.
        let request = template.render(&TemplateValues::default()).map_err(|_| HttpFailure::Connect)?;
        self.http.send(request).await
    }

    /// Sends one request that must succeed.
    pub(crate) async fn call(&mut self, method: Method, path: &str, body: &str) -> Result<HttpResponse, LoadError> {
        let template = RequestTemplate::json(method.clone(), &self.target, path, &self.token, body);
        let response = self.http.send(template.render(&TemplateValues::default())?).await.map_err(|failure| {
            let address = &self.target.authority;
            LoadError::setup(format!("{method} {path} at {address} got no response ({})", failure.name()))
        })?;
        let status = response.status().as_u16();
        if is_success(status) {
            return Ok(response);
        }
        let words: String = String::from_utf8_lossy(response.body()).chars().take(SHOWN_CHARS).collect();
        Err(LoadError::setup(format!("{method} {path} was refused with {status}: {words}")))
    }

    /// Opens a session and returns its id.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn open_session(&mut self) -> Result<String, LoadError> {
        let response = self.call(Method::POST, "/api/chat/sessions", r#"{"subject":"load"}"#).await?;
        Ok(parse::<WithId>(&response, "POST /api/chat/sessions")?.id)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn send_message(&mut self, session: &str, content: &str) -> Result<(), LoadError> {
        let body = Value::from_iter([("content", content)]).to_string();
        self.call(Method::POST, &format!("/api/chat/sessions/{session}/messages"), &body).await.map(drop)
    }

    /// Assigns a session to an agent.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn assign(&mut self, session: &str, agent: &str) -> Result<(), LoadError> {
        let body = Value::from_iter([("agentId", agent)]).to_string();
        self.call(Method::PUT, &format!("/api/chat/sessions/{session}/assign"), &body).await.map(drop)
    }

    /// Ids of up to `count` sessions that the caller may see, newest first.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn list_sessions(&mut self, count: usize) -> Result<Vec<String>, LoadError> {
        let mut ids = Vec::new();
        for page in 1.. {
            let path = format!("/api/chat/sessions?limit=100&page={page}");
            let found = parse::<ReceivedSessions>(&self.call(Method::GET, &path, "").await?, &path)?.sessions;
            let is_last = found.is_empty();
            ids.extend(found.into_iter().map(|session| session.id));
            if is_last || ids.len() >= count {
                break;
            }
        }
        ids.truncate(count);
        Ok(ids)
    }

    /// One page of messages and the response that it came in; `query` is what stands after the question mark.
    pub(crate) async fn messages(
        &mut self,
        session: &str,
        query: &str,
    ) -> Result<(HttpResponse, ReceivedMessages), LoadError> {
        let path = format!("/api/chat/sessions/{session}/messages?{query}");
        let response = self.call(Method::GET, &path, "").await?;
        let page = parse(&response, &path)?;
        Ok((response, page))
    }

    /// The message that has `depth` newer ones, or the oldest when there are fewer messages, and how many newer ones it
    /// has; `None` when there are none.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn message_at_depth(
        &mut self,
        session: &str,
        depth: usize,
    ) -> Result<Option<(String, usize)>, LoadError> {
        let mut seen = 0;
        let mut oldest: Option<String> = None;
        loop {
            let cursor = oldest.as_ref().map(|id| format!("&before={id}")).unwrap_or_default();
            let (_, page) = self.messages(session, &format!("limit=100{cursor}")).await?;
            // Ascending within the page: the newest stands last.
            if let Some(message) = page.messages.iter().rev().nth(depth - seen) {
                return Ok(Some((message.id.clone(), depth)));
            }
            seen += page.messages.len();
            if let Some(message) = page.messages.into_iter().next() {
                oldest = Some(message.id);
            }
            if !page.has_more || seen > depth {
                return Ok(oldest.map(|message| (message, seen.saturating_sub(1))));
            }
        }
    }
}

fn parse<T: DeserializeOwned>(response: &HttpResponse, request: &str) -> Result<T, LoadError> {
    serde_json::from_slice(response.body())
        .map_err(|error| LoadError::setup(format!("the response to {request} is not as documented: {error}")))
}
