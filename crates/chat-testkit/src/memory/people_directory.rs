//! People in memory.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AgentId, KnownPeople, KnownPerson, SessionEvent, UserId};
use chat_domain::ports::PeopleDirectory;

use super::{MemoryState, MemoryStore};

#[async_trait]
impl PeopleDirectory for MemoryStore {
    async fn find(&self, ids: Vec<UserId>) -> Result<KnownPeople> {
        let state = self.lock();
        Ok(KnownPeople::new(ids.iter().map(|id| Arc::clone(state.person(id).shown()))))
    }
}

impl MemoryState {
    /// What is known of a person now.
    pub(super) fn person(&self, id: &UserId) -> KnownPerson {
        let agent = self.agents.get(&AgentId::from(id));
        let display_name = agent.and_then(|agent| agent.display_name.clone());
        KnownPerson::new(id.clone(), self.people.get(id).cloned(), display_name)
    }

    /// The event with the people whom it shows, as they are known now.
    pub(super) fn with_people(&self, event: &SessionEvent) -> SessionEvent {
        let shown = event.change.shown_people().map(|id| Arc::clone(self.person(&id).shown()));
        SessionEvent { people: KnownPeople::new(shown), ..event.clone() }
    }
}
