//! `chat-loadgen send` and `read`.

use std::path::PathBuf;

use clap::Args;
use hyper::Method;

use super::options::{LoadOptions, OnOff, ServiceOptions, check_server_pid, run_name, session_ids};
use super::{RunVerdict, block_on, note};
use crate::error::LoadError;
use crate::http::RequestTemplate;
use crate::load::LoadRequests;
use crate::token::{TokenRole, Tokens};
use crate::units;

const TICKET_PATH: &str = "/api/chat/sessions/{session}/ws-ticket";

/// Send messages: POST …/messages
#[derive(Debug, Args)]
pub(super) struct Send {
    #[command(flatten)]
    service: ServiceOptions,
    #[command(flatten)]
    load: LoadOptions,
    /// Sessions to open first; requests go to all of them in turn.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    sessions: usize,
    /// Sends to these sessions instead, one id a line. With a secret, an admin sends.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sessions", "users"])]
    session_ids_file: Option<PathBuf>,
    /// Writes the ids of the sessions that were opened to this file, one a line.
    #[arg(long, value_name = "FILE", conflicts_with = "session_ids_file")]
    save_session_ids: Option<PathBuf>,
    /// Customers who own the sessions and send to them. More than one needs a secret.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = units::count)]
    users: usize,
    /// Characters of a message. From 18 on, a message begins with the time at which it was sent.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = units::length)]
    length: usize,
    /// Whether each message has an idempotency key of its own.
    #[arg(long, value_name = "SWITCH", default_value = "on")]
    idempotency: OnOff,
    /// Asks for tickets that open a socket each instead: POST …/ws-ticket. Of each of --users, the service keeps a
    /// hundred.
    #[arg(long)]
    tickets: bool,
}

impl Send {
    pub(super) fn run(&self) -> Result<RunVerdict, LoadError> {
        check_server_pid(self.load.server_pid)?;
        let tokens = self.service.tokens.tokens()?;
        let (people, sessions) = match &self.session_ids_file {
            Some(file) => (vec![tokens.of("load-admin", TokenRole::Admin)?], session_ids(file)?),
            None => self.open_sessions(&tokens)?,
        };
        if let Some(file) = &self.save_session_ids {
            let what = format!("write {}", file.display());
            std::fs::write(file, sessions.join("\n") + "\n").map_err(LoadError::io(what))?;
        }
        let (url, key) = (&self.service.url, format!("{}-", run_name()));
        let key = (self.idempotency == OnOff::On).then_some(key.as_str());
        let template = |token: &String| {
            if self.tickets {
                let template = RequestTemplate::without_body(Method::POST, url, TICKET_PATH, token);
                return template.map_err(|problem| LoadError::setup(format!("{TICKET_PATH} {problem}")));
            }
            Ok(RequestTemplate::message(url, token, self.length, key))
        };
        let templates = people.iter().map(template).collect::<Result<_, _>>()?;
        let command = if self.tickets { "tickets" } else { "send" };
        self.load.run(command, &self.service, LoadRequests { templates, sessions, before: Vec::new(), pages: 1 })
    }

    /// The tokens of the customers, and the sessions of theirs: customer by customer in turn.
    fn open_sessions(&self, tokens: &Tokens) -> Result<(Vec<String>, Vec<String>), LoadError> {
        if matches!(tokens, Tokens::Given(_)) && self.users > 1 {
            return Err(LoadError::setup("--users above 1 needs --secret or --secret-file to sign their tokens with"));
        }
        let people: Vec<String> = (0..self.users.min(self.sessions))
            .map(|user| tokens.of(&format!("load-user-{user}"), TokenRole::User))
            .collect::<Result<_, _>>()?;
        let sessions = block_on(async {
            let mut clients: Vec<_> = people.iter().map(|token| self.service.client(token.clone())).collect();
            let mut sessions = Vec::with_capacity(self.sessions);
            while sessions.len() < self.sessions {
                for client in clients.iter_mut().take(self.sessions - sessions.len()) {
                    sessions.push(client.open_session().await?);
                }
            }
            Ok(sessions)
        })?;
        Ok((people, sessions))
    }
}

/// Read existing data: GET of any path
#[derive(Debug, Args)]
pub(super) struct Read {
    #[command(flatten)]
    service: ServiceOptions,
    #[command(flatten)]
    load: LoadOptions,
    /// The path, in which {session} is a session in turn, {before} a message of it (see --before), and {page} a
    /// number from 1 to --pages.
    #[arg(long, value_name = "PATH", default_value = "/api/chat/sessions/{session}/messages?limit=50")]
    path: String,
    /// How many sessions to read from: the newest that the caller may see.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    sessions: usize,
    /// Reads from these sessions instead, one id a line.
    #[arg(long, value_name = "FILE", conflicts_with = "sessions")]
    session_ids_file: Option<PathBuf>,
    /// Reads deep pages: those before the message that has this many newer ones in its session. Adds
    /// `&before={before}` to the path when it is not there. Another --path must have {session}.
    #[arg(long, value_name = "NUMBER", value_parser = units::count)]
    before: Option<usize>,
    /// How many different numbers {page} takes.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = units::requests)]
    pages: u64,
}

impl Read {
    pub(super) fn run(&self) -> Result<RunVerdict, LoadError> {
        check_server_pid(self.load.server_pid)?;
        let token = self.service.tokens.tokens()?.of("load-reader", TokenRole::Admin)?;
        let mut path = self.path.clone();
        if self.before.is_some() && !path.contains("{before}") {
            path.push_str(if path.contains('?') { "&before={before}" } else { "?before={before}" });
        }
        let template = RequestTemplate::without_body(Method::GET, &self.service.url, &path, &token)
            .map_err(|problem| LoadError::setup(format!("--path {path:?} {problem}")))?;
        if template.names_before() && self.before.is_none() {
            return Err(LoadError::setup("--path has {before}: set how deep with --before, such as --before 1000"));
        }
        if self.before.is_some() && !template.names_session() {
            return Err(LoadError::setup("--before does nothing with a --path that has no {session}"));
        }
        let (mut sessions, mut before) = (vec![String::new()], Vec::new());
        if template.names_session() {
            (sessions, before) = block_on(self.find(token))?;
        }
        let requests = LoadRequests { templates: vec![template], sessions, before, pages: self.pages };
        self.load.run("read", &self.service, requests)
    }

    /// The sessions, and when deep pages are wanted, a message of each.
    async fn find(&self, token: String) -> Result<(Vec<String>, Vec<String>), LoadError> {
        let mut client = self.service.client(token);
        let mut sessions = match &self.session_ids_file {
            Some(file) => session_ids(file)?,
            None => client.list_sessions(self.sessions).await?,
        };
        let mut before = Vec::new();
        if let Some(depth) = self.before {
            let (mut with_messages, mut shallow, wanted) = (Vec::new(), Vec::new(), sessions.len());
            for session in sessions {
                let found = client.message_at_depth(&session, depth).await?;
                let reached = found.as_ref().map_or(0, |(_, newer)| *newer);
                if reached < depth {
                    shallow.push(reached);
                }
                if let Some((message, _)) = found {
                    with_messages.push(session);
                    before.push(message);
                }
            }
            sessions = with_messages;
            if let (Some(least), Some(most)) = (shallow.iter().min(), shallow.iter().max()) {
                note(&format!(
                    "warning: {} of {wanted} sessions are not {depth} messages deep: they reach {least} to {most}",
                    shallow.len()
                ));
            }
        }
        if sessions.is_empty() {
            return Err(LoadError::setup(
                "there is no session with messages to read: open and fill some with `chat-loadgen send`",
            ));
        }
        Ok((sessions, before))
    }
}
