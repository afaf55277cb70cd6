//! `chat-loadgen read`

use std::path::PathBuf;

use clap::Args;

use super::common::{Service, Shape, session_ids};
use super::{Verdict, note};
use crate::error::LoadError;
use crate::http::Template;
use crate::load::Work;
use crate::setup::{Caller, block_on};
use crate::token::Role;
use crate::units;

/// Read existing data: GET of any path
#[derive(Debug, Args)]
pub(super) struct Read {
    #[command(flatten)]
    service: Service,
    #[command(flatten)]
    shape: Shape,
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
    /// `&before={before}` to the path when it is not there. A --path of one's own must have {session}.
    #[arg(long, value_name = "NUMBER", value_parser = units::count)]
    before: Option<usize>,
    /// How many different numbers {page} takes.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = units::requests)]
    pages: u64,
    /// Whose token is signed, when there is a secret.
    #[arg(long, value_enum, default_value = "admin")]
    role: Role,
    /// Who they are.
    #[arg(long, value_name = "SUBJECT", default_value = "load-reader")]
    sub: String,
}

impl Read {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        self.shape.check_server_pid()?;
        let token = self.service.identity.tokens()?.of(&self.sub, self.role)?;
        let mut path = self.path.clone();
        if self.before.is_some() && !path.contains("{before}") {
            path.push_str(if path.contains('?') { "&before={before}" } else { "?before={before}" });
        }
        let template = Template::get(&self.service.url, &path, &token)
            .map_err(|problem| LoadError::setup(format!("--path {path:?} {problem}")))?;
        if template.names_before() && self.before.is_none() {
            return Err(LoadError::setup("--path has {before}: say how deep with --before, such as --before 1000"));
        }
        if self.before.is_some() && !template.names_session() {
            return Err(LoadError::setup("--before does nothing with a --path that has no {session}"));
        }
        let (mut sessions, mut before) = (vec![String::new()], Vec::new());
        if template.names_session() {
            (sessions, before) = block_on(self.find(token))?;
        }
        let work = Work { templates: vec![template], sessions, before, pages: self.pages };
        self.shape.run("read", &self.service, work)
    }

    /// The sessions, and when deep pages are wanted, a message of each.
    async fn find(&self, token: String) -> Result<(Vec<String>, Vec<String>), LoadError> {
        let mut caller = Caller::new(self.service.url.clone(), token, self.service.timeout);
        let mut sessions = match &self.session_ids_file {
            Some(file) => session_ids(file)?,
            None => caller.list_sessions(self.sessions).await?,
        };
        let mut before = Vec::new();
        if let Some(depth) = self.before {
            let mut with_messages = Vec::new();
            let mut shallow = Vec::new();
            let asked = sessions.len();
            for session in sessions {
                let found = caller.message_at_depth(&session, depth).await?;
                let reached = found.as_ref().map_or(0, |found| found.newer);
                if reached < depth {
                    shallow.push(reached);
                }
                if let Some(found) = found {
                    with_messages.push(session);
                    before.push(found.message);
                }
            }
            sessions = with_messages;
            if let (Some(least), Some(most)) = (shallow.iter().min(), shallow.iter().max()) {
                note(&format!(
                    "warning: {} of {asked} sessions are not {depth} messages deep: they reach {least} to {most}",
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
