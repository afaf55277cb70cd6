//! A writer: one message after the other, each with a key, retried with that key until its outcome is known.

use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::run::Clock;
use crate::history::{Attempt, Outcome};
use crate::http::{Failure, stamp};
use crate::monotonic;
use crate::net::Targets;
use crate::setup::{Caller, WithId};

/// The pause before the first retry; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Writer {
    pub(super) targets: Targets,
    /// Which of the nodes it is at.
    pub(super) turn: usize,
    /// None before the first request and after one without an answer.
    pub(super) caller: Option<Caller>,
    pub(super) token: String,
    pub(super) timeout: Duration,
    pub(super) clock: Rc<Clock>,
    pub(super) session: String,
    pub(super) name: String,
    /// The run's name, which begins every key.
    pub(super) run: String,
    pub(super) length: usize,
    pub(super) repeat_every: u64,
    pub(super) settle: Duration,
    pub(super) attempts: Vec<Attempt>,
}

impl Writer {
    /// Writes until the clock says stop; answers all its attempts.
    pub(super) async fn run(mut self) -> Vec<Attempt> {
        let mut number = 0;
        while !self.clock.is_over() {
            number += 1;
            let key = format!("{}-{}-{number}", self.run, self.name);
            // The key makes it unlike any other; readers time it by the stamp.
            let text = format!("{}{key}", stamp(monotonic::now_us()));
            let content = format!("{text:x<length$}", length = self.length);
            if !self.until_decided(&key, &content).await {
                break;
            }
            if number % self.repeat_every.max(1) == 0 {
                self.until_decided(&key, &content).await;
            }
        }
        self.attempts
    }

    fn caller(&mut self) -> Option<&mut Caller> {
        if self.caller.is_none() {
            let target = self.targets.get(self.turn)?;
            self.caller = Some(Caller::new(target, self.token.clone(), self.timeout));
        }
        self.caller.as_mut()
    }

    /// Sends until the outcome is known; false when it is not in the end, or when nothing can be sent any more.
    async fn until_decided(&mut self, key: &str, content: &str) -> bool {
        let body = Value::from_iter([("content", content)]).to_string();
        let path = format!("/api/chat/sessions/{}/messages", self.session);
        let header = format!("Idempotency-Key: {key}\r\n");
        let mut pause = FIRST_PAUSE;
        loop {
            let began_us = self.clock.now_us();
            let answer = match self.caller() {
                Some(caller) => caller.try_call("POST", &path, &header, &body).await,
                None => Err(Failure::Connect),
            };
            let ended_us = self.clock.now_us();
            let mut wait = pause;
            let outcome = match &answer {
                Ok((head, body)) if head.status == 201 => match serde_json::from_slice::<WithId>(body) {
                    Ok(message) => Outcome::Acknowledged { id: message.id, seq: None },
                    Err(_) => Outcome::Unknown,
                },
                Ok((head, _)) => {
                    wait =
                        wait.max(Duration::from_secs(head.retry_after.unwrap_or_default())).min(Duration::from_secs(1));
                    if (400..500).contains(&head.status) {
                        Outcome::Refused { status: head.status }
                    } else {
                        Outcome::Unknown
                    }
                }
                Err(_) => {
                    // Perhaps another node answers.
                    self.turn += 1;
                    self.caller = None;
                    Outcome::Unknown
                }
            };
            let decided = match &outcome {
                Outcome::Acknowledged { .. } => Some(true),
                // Too many requests: not now, but again.
                Outcome::Refused { status: 429 } | Outcome::Unknown => None,
                Outcome::Refused { .. } => Some(false),
            };
            // What never left is no attempt.
            if !matches!(answer, Err(Failure::Connect)) {
                self.attempts.push(Attempt {
                    session: self.session.clone(),
                    writer: self.name.clone(),
                    key: key.to_owned(),
                    content: content.to_owned(),
                    began_us,
                    ended_us,
                    outcome,
                });
            }
            if let Some(go_on) = decided {
                return go_on;
            }
            if self.clock.over_since().is_some_and(|over| Instant::now() >= over + self.settle) {
                return false;
            }
            sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
