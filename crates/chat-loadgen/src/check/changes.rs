//! What makes sessions come into views and leave them: customers open sessions, agents and admins assign, hand back, answer
//! and close them. These are sessions of their own: in those that writers write to, every change is known.

use std::rc::Rc;
use std::time::Duration;

use hyper::Method;
use serde_json::json;
use tokio::time::sleep;

use super::clock::RunClock;
use super::people::People;
use super::{CheckPlan, node};
use crate::api_client::ApiClient;
use crate::error::LoadError;

/// Between two changes.
const PAUSE: Duration = Duration::from_millis(20);
/// Sessions that are active at the same time.
const SESSIONS: usize = 12;

/// Changes that are tried one after the other. What came of one is for the inboxes to find out: it may have failed, been
/// refused, or taken place without a response.
pub(super) struct CheckChanges {
    plan: Rc<CheckPlan>,
    clock: Rc<RunClock>,
    owner: String,
    admin: String,
    agents: Vec<String>,
    sessions: Vec<String>,
    steps: usize,
    random: u64,
}

impl CheckChanges {
    /// Of the people of the run.
    pub(super) fn new(plan: &Rc<CheckPlan>, clock: &Rc<RunClock>, people: &People) -> Result<Self, LoadError> {
        let mut agents: Vec<String> = (0..plan.options.sessions).filter_map(|place| people.agent_id(place)).collect();
        agents.dedup();
        Ok(Self {
            plan: Rc::clone(plan),
            clock: Rc::clone(clock),
            owner: people.owner(0)?,
            admin: people.admin()?,
            agents,
            sessions: Vec::new(),
            steps: 0,
            random: 0x2545_f491_4f6c_dd1d,
        })
    }

    /// Changes sessions until the run is over.
    pub(super) async fn run(mut self) {
        while self.clock.over_since().is_none() {
            self.steps += 1;
            let _whatever_came_of_it = self.step().await;
            sleep(PAUSE).await;
        }
    }

    async fn step(&mut self) -> Result<(), LoadError> {
        let options = &self.plan.options;
        let target = node(&options.write_url, &options.url, self.steps).clone();
        let client = |token: &String| ApiClient::new(target.clone(), token.clone(), options.timeout);
        let (mut owner, mut admin) = (client(&self.owner), client(&self.admin));
        if self.sessions.len() < SESSIONS {
            self.sessions.push(owner.open_session().await?);
            return Ok(());
        }
        let place = self.pick(SESSIONS);
        let agent = self.pick(self.agents.len());
        let (Some(session), Some(agent)) = (self.sessions.get(place), self.agents.get(agent)) else { return Ok(()) };
        let path = format!("/api/chat/sessions/{session}");
        match self.steps % 8 {
            0 => admin.assign(session, agent).await,
            1 | 2 => {
                let body = json!({ "agentId": (self.steps % 8 == 1).then_some(agent) }).to_string();
                admin.call(Method::PUT, &format!("{path}/transfer"), &body).await.map(drop)
            }
            3 => {
                // If the response is lost, the session is given up all the same.
                let session = self.sessions.swap_remove(place);
                admin.call(Method::PUT, &format!("/api/chat/sessions/{session}/close"), "").await.map(drop)
            }
            4 => admin.send_message(session, "an answer").await,
            5 => admin.call(Method::PUT, &format!("{path}/read"), r#"{"upToSeq":1}"#).await.map(drop),
            _ => owner.send_message(session, &format!("a question, {}", self.steps)).await,
        }
    }

    /// Below `count`, the same in every run: xorshift (Marsaglia 2003).
    fn pick(&mut self, count: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % count.max(1) as u64).unwrap_or_default()
    }
}
