//! A writer: one message after the other, each with a key, retried with that key until its outcome is known.

use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::clock::RunClock;
use super::{CheckPlan, node};
use crate::api_client::{ApiClient, WithId};
use crate::history::{Attempt, AttemptOutcome};
use crate::http::{HttpFailure, HttpResponse, header_number, stamp};
use crate::monotonic;

/// The pause before the first retry; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct CheckWriter {
    plan: Rc<CheckPlan>,
    clock: Rc<RunClock>,
    token: String,
    session: String,
    name: String,
    /// Which of the nodes it is at: the next one after a request without a response.
    turn: usize,
    client: Option<ApiClient>,
    attempts: Vec<Attempt>,
}

impl CheckWriter {
    /// Writer `number` of all.
    pub(super) fn new(plan: &Rc<CheckPlan>, clock: &Rc<RunClock>, token: String, session: &str, number: usize) -> Self {
        Self {
            plan: Rc::clone(plan),
            clock: Rc::clone(clock),
            token,
            session: session.to_owned(),
            name: format!("w{number}"),
            turn: number,
            client: None,
            attempts: Vec::new(),
        }
    }

    /// Writes until the run is over; returns all attempts.
    pub(super) async fn run(mut self) -> Vec<Attempt> {
        let mut number = 0;
        while self.clock.over_since().is_none() {
            number += 1;
            let key = format!("{}-{}-{number}", self.plan.run_name, self.name);
            // The key makes it unlike any other; readers time it by the stamp.
            let text = format!("{}{key}", stamp(monotonic::now_us()));
            let content = format!("{text:x<length$}", length = self.plan.options.length);
            if !self.until_decided(&key, &content).await {
                break;
            }
            if number % self.plan.options.repeat_every.max(1) == 0 {
                self.until_decided(&key, &content).await;
            }
        }
        self.attempts
    }

    /// Sends until the outcome is known; false when it is not in the end, or when nothing can be sent any more.
    async fn until_decided(&mut self, key: &str, content: &str) -> bool {
        let body = Value::from_iter([("content", content)]).to_string();
        let path = format!("/api/chat/sessions/{}/messages", self.session);
        let mut pause = FIRST_PAUSE;
        loop {
            let began_us = self.clock.now_us();
            let options = &self.plan.options;
            let client = self.client.get_or_insert_with(|| {
                let node = node(&options.write_url, &options.url, self.turn);
                ApiClient::new(node.clone(), self.token.clone(), options.timeout)
            });
            let response = client.try_post(&path, key, &body).await;
            let outcome = response.as_ref().map_or(AttemptOutcome::Unknown, outcome_of);
            // A request that never left is no attempt.
            if !matches!(response, Err(HttpFailure::Connect)) {
                self.attempts.push(Attempt {
                    session: self.session.clone(),
                    writer: self.name.clone(),
                    key: key.to_owned(),
                    content: content.to_owned(),
                    began_us,
                    ended_us: self.clock.now_us(),
                    outcome: outcome.clone(),
                });
            }
            match outcome {
                AttemptOutcome::Acknowledged { .. } => return true,
                // Too many requests, which a later one may not be.
                AttemptOutcome::Refused { status: 429 } | AttemptOutcome::Unknown => {}
                AttemptOutcome::Refused { .. } => return false,
            }
            if self.clock.over_since().is_some_and(|over| Instant::now() >= over + self.plan.options.settle) {
                return false;
            }
            let mut wait = pause;
            if let Ok(response) = response {
                let after = header_number(response.headers(), "retry-after").unwrap_or_default();
                wait = wait.max(Duration::from_secs(after)).min(Duration::from_secs(1));
            } else {
                // Perhaps another node responds.
                (self.turn, self.client) = (self.turn + 1, None);
            }
            sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn outcome_of(response: &HttpResponse) -> AttemptOutcome {
    match (response.status().as_u16(), serde_json::from_slice::<WithId>(response.body())) {
        (201, Ok(message)) => AttemptOutcome::Acknowledged { id: message.id, seq: None },
        (status @ 400..500, _) => AttemptOutcome::Refused { status },
        _ => AttemptOutcome::Unknown,
    }
}
