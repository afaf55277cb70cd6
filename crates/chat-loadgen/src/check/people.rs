//! The people of a run and their tokens: so many that nobody has more sockets than the service allows one person.

use super::CheckPlan;
use crate::error::LoadError;
use crate::token::{Role, Tokens};

/// Sessions of one owner and of one agent: each has a socket in each, and writes there.
const SESSIONS_OF_A_PERSON: usize = 20;
/// Sockets of one admin.
const SOCKETS_OF_AN_ADMIN: usize = 10;

pub(super) struct People {
    tokens: Tokens,
    name: String,
}

impl People {
    pub(super) fn new(plan: &CheckPlan) -> Self {
        Self { tokens: plan.tokens.clone(), name: plan.name.clone() }
    }

    /// The customer of a session, by its place.
    pub(super) fn owner(&self, session: usize) -> Result<String, LoadError> {
        let name = format!("check-user-{}-{}", self.name, session / SESSIONS_OF_A_PERSON);
        self.tokens.of(&name, Role::User)
    }

    /// The id of the agent of a session; none when one given token is everybody.
    pub(super) fn agent_id(&self, session: usize) -> Option<String> {
        let is_signed = matches!(self.tokens, Tokens::Signed(_));
        is_signed.then(|| format!("check-agent-{}-{}", self.name, session / SESSIONS_OF_A_PERSON))
    }

    pub(super) fn agent(&self, session: usize) -> Result<String, LoadError> {
        self.tokens.of(&self.agent_id(session).unwrap_or_default(), Role::Agent)
    }

    /// Who sets the run up and reads its end.
    pub(super) fn admin(&self) -> Result<String, LoadError> {
        self.tokens.of(&format!("check-admin-{}", self.name), Role::Admin)
    }

    /// The admin behind one of many sockets.
    pub(super) fn watching_admin(&self, socket: usize) -> Result<String, LoadError> {
        let name = format!("check-admin-{}-{}", self.name, socket / SOCKETS_OF_AN_ADMIN);
        self.tokens.of(&name, Role::Admin)
    }
}
