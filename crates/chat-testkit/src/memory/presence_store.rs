//! When agents last had an inbox open, in memory.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::AgentId;
use chat_domain::ports::PresenceStore;

use super::MemoryStore;

impl MemoryStore {
    /// Lets time pass by the clock that presence is measured with, so that no test waits for it.
    pub fn age_presence(&self, by: Duration) {
        for (_, ago) in self.lock().presence.values_mut() {
            *ago = ago.saturating_add(by);
        }
    }
}

#[async_trait]
impl PresenceStore for MemoryStore {
    async fn note(&self, seen: BTreeMap<AgentId, Duration>) -> Result<()> {
        let (presence, now) = (&mut self.lock().presence, Instant::now());
        for (agent, ago) in seen {
            let known = presence.entry(agent).or_insert((now, ago));
            if now.duration_since(known.0).saturating_add(known.1) > ago {
                *known = (now, ago);
            }
        }
        Ok(())
    }

    async fn last_seen(&self, agents: Vec<AgentId>) -> Result<HashMap<AgentId, Duration>> {
        let state = self.lock();
        let seen = |id: AgentId| {
            let (at, ago) = state.presence.get(&id)?;
            Some((id, at.elapsed().saturating_add(*ago)))
        };
        Ok(agents.into_iter().filter_map(seen).collect())
    }
}
