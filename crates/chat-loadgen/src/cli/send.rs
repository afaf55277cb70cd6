//! `chat-loadgen send`

use std::path::PathBuf;

use clap::Args;

use super::Verdict;
use super::common::{Service, Shape, Switch, run_name, session_ids};
use crate::error::LoadError;
use crate::http::Template;
use crate::load::Work;
use crate::setup::{Caller, block_on};
use crate::token::{Role, Tokens};
use crate::units;

/// Send messages: POST …/messages
#[derive(Debug, Args)]
pub(super) struct Send {
    #[command(flatten)]
    service: Service,
    #[command(flatten)]
    shape: Shape,
    /// Sessions to open first; messages go to all of them in turn.
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
    idempotency: Switch,
}

impl Send {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        self.shape.check_server_pid()?;
        let tokens = self.service.identity.tokens()?;
        let (people, sessions) = match &self.session_ids_file {
            Some(file) => (vec![tokens.of("load-admin", Role::Admin)?], session_ids(file)?),
            None => open_sessions(&self.service, &tokens, self.users, self.sessions)?,
        };
        if let Some(file) = &self.save_session_ids {
            let what = format!("write {}", file.display());
            std::fs::write(file, sessions.join("\n") + "\n").map_err(LoadError::io(what))?;
        }
        let key = (self.idempotency == Switch::On).then(|| format!("{}-", run_name()));
        let template = |token: &String| Template::message(&self.service.url, token, self.length, key.as_deref());
        let templates = people.iter().map(template).collect();
        let work = Work { templates, sessions, before: Vec::new(), pages: 1 };
        self.shape.run("send", &self.service, work)
    }
}

/// The tokens of that many customers, and that many sessions of theirs: customer by customer in turn.
pub(super) fn open_sessions(
    service: &Service,
    tokens: &Tokens,
    users: usize,
    count: usize,
) -> Result<(Vec<String>, Vec<String>), LoadError> {
    if matches!(tokens, Tokens::Given(_)) && users > 1 {
        return Err(LoadError::setup("--users above 1 needs --secret or --secret-file to sign their tokens with"));
    }
    let people: Vec<String> = (0..users.min(count))
        .map(|user| tokens.of(&format!("load-user-{user}"), Role::User))
        .collect::<Result<_, _>>()?;
    let sessions = block_on(async {
        let caller = |token: &String| Caller::new(service.url.clone(), token.clone(), service.timeout);
        let mut callers: Vec<Caller> = people.iter().map(caller).collect();
        let mut sessions = Vec::with_capacity(count);
        while sessions.len() < count {
            for caller in callers.iter_mut().take(count - sessions.len()) {
                sessions.push(caller.open_session().await?);
            }
        }
        Ok(sessions)
    })?;
    Ok((people, sessions))
}
