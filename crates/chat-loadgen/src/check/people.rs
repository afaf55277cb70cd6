//! The people of a run and their tokens: so many that none has more sockets than the service allows one person.

use super::CheckPlan;
use crate::error::LoadError;
use crate::token::{TokenRole, Tokens};

/// Sessions of one owner and of one agent: each has a socket in each, and writes there.
const SESSIONS_OF_A_PERSON: usize = 20;
/// Sockets of one admin.
const SOCKETS_OF_AN_ADMIN: usize = 10;
/// The views of each side that the API has.
const VIEWS: [&[&str]; 3] = [&["mine", "waiting", "closed"], &["waiting", "assigned", "closed"], &["mine", "closed"]];

/// Whose inbox it is.
pub(super) struct InboxPerson {
    pub(super) name: String,
    pub(super) token: String,
    pub(super) views: &'static [&'static str],
}

pub(super) struct People {
    tokens: Tokens,
    run_name: String,
}

impl People {
    pub(super) fn new(plan: &CheckPlan) -> Self {
        Self { tokens: plan.tokens.clone(), run_name: plan.run_name.clone() }
    }

    /// The owner of a session, by its place.
    pub(super) fn owner(&self, session: usize) -> Result<String, LoadError> {
        let name = format!("check-user-{}-{}", self.run_name, session / SESSIONS_OF_A_PERSON);
        self.tokens.of(&name, TokenRole::User)
    }

    /// The id of the agent of a session; none when one given token is all people.
    pub(super) fn agent_id(&self, session: usize) -> Option<String> {
        let is_signed = matches!(self.tokens, Tokens::Signed(_));
        is_signed.then(|| format!("check-agent-{}-{}", self.run_name, session / SESSIONS_OF_A_PERSON))
    }

    pub(super) fn agent(&self, session: usize) -> Result<String, LoadError> {
        self.tokens.of(&self.agent_id(session).unwrap_or_default(), TokenRole::Agent)
    }

    /// The admin who prepares the run and reads the final state.
    pub(super) fn admin(&self) -> Result<String, LoadError> {
        self.tokens.of(&format!("check-admin-{}", self.run_name), TokenRole::Admin)
    }

    /// The person of an inbox: an agent, an admin, a customer in turn. A given token is of one role, which is not known.
    pub(super) fn of_inbox(&self, number: usize, sessions: usize) -> Result<InboxPerson, LoadError> {
        if matches!(self.tokens, Tokens::Given(_)) {
            return Err(LoadError::setup(
                "--inboxes needs people of all roles: give --secret, --secret-file or --key-file",
            ));
        }
        let session = number / VIEWS.len() * SESSIONS_OF_A_PERSON % sessions.max(1);
        let [of_agent, of_admin, of_customer] = VIEWS;
        let (side, token, views) = match number % VIEWS.len() {
            0 => ("agent", self.agent(session)?, of_agent),
            1 => ("admin", self.reading_admin(number)?, of_admin),
            _ => ("customer", self.owner(session)?, of_customer),
        };
        Ok(InboxPerson { name: format!("{side} {number}"), token, views })
    }

    /// The admin behind one of many sockets.
    pub(super) fn reading_admin(&self, socket: usize) -> Result<String, LoadError> {
        let name = format!("check-admin-{}-{}", self.run_name, socket / SOCKETS_OF_AN_ADMIN);
        self.tokens.of(&name, TokenRole::Admin)
    }
}
