//! What a run needs before it can start: sessions, and messages deep inside them. Requests here are few and not
//! measured; whatever is refused stops the command with the service's own words.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::error::LoadError;
use crate::http::{Client, Head, Target, Template};

/// How much of a refusal is shown.
const SHOWN_CHARS: usize = 300;

/// A client for requests that must succeed, in the name of one person.
#[derive(Debug)]
pub struct Caller {
    client: Client,
    target: Target,
    token: String,
}

/// A message and how deep it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtDepth {
    /// Its id.
    pub message: String,
    /// How many messages of its session are newer.
    pub newer: usize,
}

#[derive(Deserialize)]
pub(crate) struct WithId {
    pub(crate) id: String,
}

/// A page of a session's messages, as the API answers it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessagePage {
    pub(crate) messages: Vec<Message>,
    pub(crate) total_count: u64,
    pub(crate) has_more: bool,
}

/// What is needed of a message.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) content: String,
}

#[derive(Deserialize)]
struct SessionPage {
    sessions: Vec<WithId>,
}

impl Caller {
    /// Calls with this token; every answer may take `limit`.
    pub fn new(target: Target, token: String, limit: Duration) -> Self {
        Self { client: Client::new(target.clone(), limit), target, token }
    }

    /// Sends one request and answers its head and body, whatever the status.
    pub(crate) async fn try_call(
        &mut self,
        method: &str,
        path: &str,
        extra_headers: &str,
        body: &str,
    ) -> Result<(Head, Vec<u8>), crate::http::Failure> {
        let request = Template::once(&self.target, method, path, &self.token, extra_headers, body);
        let mut answer = Vec::new();
        let (head, _) = self.client.send(&request, Some(&mut answer)).await?;
        Ok((head, answer))
    }

    /// Sends one request that must succeed.
    pub(crate) async fn call(&mut self, method: &str, path: &str, body: &str) -> Result<(Head, Vec<u8>), LoadError> {
        let answer = self.try_call(method, path, "", body).await;
        let (head, answer) = answer.map_err(|failure| {
            let address = &self.target.authority;
            LoadError::setup(format!("{method} {path} at {address} got no answer ({})", failure.name()))
        })?;
        if !(200..300).contains(&head.status) {
            let words: String = String::from_utf8_lossy(&answer).chars().take(SHOWN_CHARS).collect();
            return Err(LoadError::setup(format!("{method} {path} was refused with {}: {words}", head.status)));
        }
        Ok((head, answer))
    }

    /// Opens a session and answers its id.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn open_session(&mut self) -> Result<String, LoadError> {
        let (_, body) = self.call("POST", "/api/chat/sessions", r#"{"subject":"load"}"#).await?;
        Ok(read::<WithId>(&body, "POST /api/chat/sessions")?.id)
    }

    /// Sends a message whose JSON body is `body`.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn send(&mut self, session: &str, body: &str) -> Result<(), LoadError> {
        self.call("POST", &format!("/api/chat/sessions/{session}/messages"), body).await.map(drop)
    }

    /// Assigns a session to an agent.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn assign(&mut self, session: &str, agent: &str) -> Result<(), LoadError> {
        let body = Value::from_iter([("agentId", agent)]).to_string();
        self.call("PUT", &format!("/api/chat/sessions/{session}/assign"), &body).await.map(drop)
    }

    /// Ids of up to `count` sessions that the caller may see, newest first.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn list_sessions(&mut self, count: usize) -> Result<Vec<String>, LoadError> {
        let mut ids = Vec::new();
        let mut page = 1;
        while ids.len() < count {
            let path = format!("/api/chat/sessions?limit=100&page={page}");
            let (_, body) = self.call("GET", &path, "").await?;
            let found = read::<SessionPage>(&body, &path)?.sessions;
            if found.is_empty() {
                break;
            }
            ids.extend(found.into_iter().map(|session| session.id));
            page += 1;
        }
        ids.truncate(count);
        Ok(ids)
    }

    /// One page of messages; `query` is what stands after the question mark.
    pub(crate) async fn messages(&mut self, session: &str, query: &str) -> Result<(Head, MessagePage), LoadError> {
        let path = format!("/api/chat/sessions/{session}/messages?{query}");
        let (head, body) = self.call("GET", &path, "").await?;
        Ok((head, read(&body, &path)?))
    }

    /// The message that has `depth` newer ones, or the oldest when there are fewer messages; `None` when there are
    /// none.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn message_at_depth(&mut self, session: &str, depth: usize) -> Result<Option<AtDepth>, LoadError> {
        let mut seen = 0;
        let mut oldest: Option<String> = None;
        loop {
            let cursor = oldest.as_ref().map(|id| format!("&before={id}")).unwrap_or_default();
            let (_, page) = self.messages(session, &format!("limit=100{cursor}")).await?;
            // Ascending within the page: the newest stands last.
            if let Some(message) = page.messages.iter().rev().nth(depth - seen) {
                return Ok(Some(AtDepth { message: message.id.clone(), newer: depth }));
            }
            seen += page.messages.len();
            if let Some(message) = page.messages.into_iter().next() {
                oldest = Some(message.id);
            }
            if !page.has_more || seen > depth {
                return Ok(oldest.map(|message| AtDepth { message, newer: seen.saturating_sub(1) }));
            }
        }
    }
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(body: &[u8], what: &str) -> Result<T, LoadError> {
    serde_json::from_slice(body)
        .map_err(|error| LoadError::setup(format!("the answer to {what} is not as documented: {error}")))
}

/// Runs the preparation of a command to its end.
///
/// # Errors
/// Those of the preparation.
pub fn block_on<T>(future: impl Future<Output = Result<T, LoadError>>) -> Result<T, LoadError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::io("make a runtime"))?;
    tokio::task::LocalSet::new().block_on(&runtime, future)
}
