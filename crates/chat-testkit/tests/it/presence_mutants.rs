//! The suites notice stores that are wrong about who is there, and directories that are wrong about what agents have set.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Agent, AgentId, AgentStatus, AgentUpdate, DisplayName, Timestamp};
use chat_domain::ports::{AgentDirectory, PresenceStore};
use chat_testkit::contract::{StoreUnderTest, agent_directory, presence_store};

use crate::support::{make_store, notices};

#[derive(Clone, Copy, PartialEq, Eq)]
enum PresenceFault {
    /// The last note counts, and not the newest time.
    TakesBack,
    /// The first note counts.
    NeverRenews,
    /// How long ago it was does not count.
    IgnoresAge,
    /// To look at agents is to see them.
    NotesWhenRead,
    /// All agents are returned, and not those who were asked for.
    ReturnsAll,
}

use PresenceFault::{IgnoresAge, NeverRenews, NotesWhenRead, ReturnsAll, TakesBack};

struct FaultyPresence {
    fault: PresenceFault,
    seen: Mutex<HashMap<AgentId, (Instant, Duration)>>,
}

#[async_trait]
impl PresenceStore for FaultyPresence {
    async fn note(&self, seen: BTreeMap<AgentId, Duration>) -> Result<()> {
        let (mut known, now) = (self.seen.lock().unwrap(), Instant::now());
        for (agent, ago) in seen {
            let ago = if self.fault == IgnoresAge { Duration::ZERO } else { ago };
            let is_newer = known.get(&agent).is_none_or(|(at, before)| at.elapsed().saturating_add(*before) > ago);
            let replaces = match self.fault {
                TakesBack => true,
                NeverRenews => !known.contains_key(&agent),
                _ => is_newer,
            };
            if replaces {
                known.insert(agent, (now, ago));
            }
        }
        Ok(())
    }

    async fn last_seen(&self, agents: Vec<AgentId>) -> Result<HashMap<AgentId, Duration>> {
        let mut known = self.seen.lock().unwrap();
        if self.fault == NotesWhenRead {
            known.extend(agents.iter().map(|agent| (agent.clone(), (Instant::now(), Duration::ZERO))));
        }
        let is_asked = |agent: &AgentId| self.fault == ReturnsAll || agents.contains(agent);
        let found = known.iter().filter(|(agent, _)| is_asked(agent));
        Ok(found.map(|(agent, (at, ago))| (agent.clone(), at.elapsed().saturating_add(*ago))).collect())
    }
}

async fn faulty(fault: PresenceFault) -> StoreUnderTest {
    let presence = Arc::new(FaultyPresence { fault, seen: Mutex::default() });
    StoreUnderTest { presence, ..make_store().await }
}

notices! { a_time_that_is_taken_back_is_noticed: faulty(TakesBack), unlike make_store =>
    presence_store::an_older_time_takes_nothing_back,
    presence_store::concurrent_notes_of_the_same_agents_keep_the_newest_times,
}

notices! { a_time_that_is_not_renewed_is_noticed: faulty(NeverRenews), unlike make_store =>
    presence_store::a_newer_time_replaces_an_older_one,
    presence_store::concurrent_notes_of_the_same_agents_keep_the_newest_times,
}

notices! { an_age_that_does_not_count_is_noticed: faulty(IgnoresAge), unlike make_store =>
    presence_store::an_agent_is_seen_as_long_ago_as_was_noted,
    presence_store::many_agents_are_noted_and_found_at_once,
}

notices! { a_look_that_notes_is_noticed: faulty(NotesWhenRead), unlike make_store =>
    presence_store::an_agent_who_was_never_seen_is_not_found,
    presence_store::an_agent_is_seen_as_long_ago_as_was_noted,
}

notices! { agents_who_were_not_asked_for_are_noticed: faulty(ReturnsAll), unlike make_store =>
    presence_store::an_agent_who_was_never_seen_is_not_found,
    presence_store::many_agents_are_noted_and_found_at_once,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DirectoryFault {
    /// A status is set whether or not the agent is active.
    SetsTheDeactivated,
    /// A status is forgotten when an admin changes the agent.
    ForgetsWithAPut,
    /// Who is not there is entered.
    EntersTheUnknown,
}

use DirectoryFault::{EntersTheUnknown, ForgetsWithAPut, SetsTheDeactivated};

struct FaultyDirectory {
    fault: DirectoryFault,
    agents: Arc<dyn AgentDirectory>,
}

impl FaultyDirectory {
    async fn activate(&self, id: &AgentId, active: bool) -> Result<()> {
        let update = AgentUpdate { display_name: None, active: Some(active) };
        self.agents.put(id.clone(), update, Timestamp::from_unix_ms(0)).await.map(drop)
    }
}

#[async_trait]
impl AgentDirectory for FaultyDirectory {
    async fn find(&self, id: &AgentId) -> Result<Option<Agent>> {
        self.agents.find(id).await
    }

    async fn deactivated_among(&self, ids: Vec<AgentId>) -> Result<Vec<AgentId>> {
        self.agents.deactivated_among(ids).await
    }

    async fn list(&self) -> Result<Vec<Agent>> {
        self.agents.list().await
    }

    async fn put(&self, id: AgentId, update: AgentUpdate, at: Timestamp) -> Result<(Agent, bool)> {
        if self.fault == ForgetsWithAPut {
            self.agents.set_status(&id, AgentStatus::Online).await?;
        }
        self.agents.put(id, update, at).await
    }

    async fn register(&self, id: AgentId, name: Option<DisplayName>, at: Timestamp) -> Result<Agent> {
        self.agents.register(id, name, at).await
    }

    async fn deactivate(&self, id: &AgentId) -> Result<Option<Agent>> {
        self.agents.deactivate(id).await
    }

    async fn set_status(&self, id: &AgentId, status: AgentStatus) -> Result<Option<Agent>> {
        let known = self.agents.find(id).await?;
        match (self.fault, known) {
            (SetsTheDeactivated, Some(agent)) if !agent.active => {
                self.activate(id, true).await?;
                self.agents.set_status(id, status).await?;
                self.agents.deactivate(id).await
            }
            (EntersTheUnknown, None) => {
                self.activate(id, true).await?;
                self.agents.set_status(id, status).await
            }
            _ => self.agents.set_status(id, status).await,
        }
    }
}

async fn misled(fault: DirectoryFault) -> StoreUnderTest {
    let store = make_store().await;
    StoreUnderTest { agents: Arc::new(FaultyDirectory { fault, agents: store.agents.clone() }), ..store }
}

notices! { a_status_of_a_deactivated_agent_that_is_set_is_noticed: misled(SetsTheDeactivated), unlike make_store =>
    agent_directory::the_status_of_a_deactivated_agent_stays_as_it_is,
}

notices! { a_status_that_is_forgotten_is_noticed: misled(ForgetsWithAPut), unlike make_store =>
    agent_directory::a_status_stays_until_it_is_set_again,
}

notices! { an_agent_whom_a_status_enters_is_noticed: misled(EntersTheUnknown), unlike make_store =>
    agent_directory::setting_the_status_of_an_unknown_agent_finds_nothing,
}
