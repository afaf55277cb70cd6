//! `chat-loadgen tickets`

use clap::Args;

use super::Verdict;
use super::common::{Service, Shape};
use super::send::open_sessions;
use crate::error::LoadError;
use crate::http::Template;
use crate::load::Work;
use crate::units;

/// Ask for tickets that open a socket each: POST …/ws-ticket
#[derive(Debug, Args)]
pub(super) struct Tickets {
    #[command(flatten)]
    service: Service,
    #[command(flatten)]
    shape: Shape,
    /// Sessions to open first; tickets are for all of them in turn.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    sessions: usize,
    /// Customers who own the sessions. Of each, the service keeps a hundred unused tickets. More than one needs a secret.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    users: usize,
}

impl Tickets {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        self.shape.check_server_pid()?;
        let tokens = self.service.identity.tokens()?;
        let (people, sessions) = open_sessions(&self.service, &tokens, self.users, self.sessions)?;
        let path = "/api/chat/sessions/{session}/ws-ticket";
        let template = |token: &String| Template::post(&self.service.url, path, token);
        let templates: Result<Vec<Template>, String> = people.iter().map(template).collect();
        let templates = templates.map_err(|problem| LoadError::setup(format!("{path} {problem}")))?;
        let work = Work { templates, sessions, before: Vec::new(), pages: 1 };
        self.shape.run("tickets", &self.service, work)
    }
}
