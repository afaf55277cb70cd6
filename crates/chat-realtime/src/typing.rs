//! Who is shown as typing in which session, and when that ends. Pure: the time is told.
//!
//! * A first "is typing" is spread. A repeated one keeps it alive but is spread again only every
//!   `TypingRules::repeat`, so that a client may send one per key stroke.
//! * A "stopped typing" is always spread, even of someone who is not shown: it says nothing wrong, and a watcher whose
//!   full queue dropped an earlier one is put right by it.
//! * After `TypingRules::silence` without a word it ends by itself; it also ends when the typist's last stream of the
//!   session goes away. Both are spread as "stopped typing".
//! * When the session closes, its typists are forgotten; nothing is spread, as the closing says it all.
//! * A message does not end it: whoever sends one may be writing the next.

use std::collections::HashMap;

use chat_domain::model::{SessionId, Timestamp, TypingEvent, UserId};

use crate::settings::TypingRules;

/// What becomes of a word about typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is spread.
    Spread,
    /// It changes nothing that the watchers would see.
    Known,
    /// Too many people type in this session already.
    Full,
}

#[derive(Debug)]
struct Typist {
    user: UserId,
    /// When they were last heard of.
    heard: Timestamp,
    /// When the watchers were last told.
    spread: Timestamp,
}

/// The people who are shown as typing: at most `TypingRules::max_typists` a session.
#[derive(Debug)]
pub struct TypingTable {
    sessions: HashMap<SessionId, Vec<Typist>>,
    rules: TypingRules,
}

impl TypingTable {
    /// A table without anyone in it.
    pub fn new(rules: TypingRules) -> Self {
        Self { sessions: HashMap::new(), rules }
    }

    /// Notes what someone said at `now`, by this node's clock.
    pub fn hear(&mut self, word: &TypingEvent, now: Timestamp) -> Said {
        if !word.is_typing {
            self.remove(word.session_id, &word.user_id);
            return Said::Spread;
        }
        let typists = self.sessions.get_mut(&word.session_id);
        let shown = typists.as_ref().map_or(0, |typists| typists.len());
        if let Some(typist) = typists.and_then(|typists| typists.iter_mut().find(|typist| typist.user == word.user_id))
        {
            typist.heard = now;
            // A `spread` in the future is what a clock that was set back leaves behind.
            if typist.spread <= now && now.since(typist.spread) < self.rules.repeat {
                return Said::Known;
            }
            typist.spread = now;
            return Said::Spread;
        }
        if shown >= self.rules.max_typists {
            return Said::Full;
        }
        let typist = Typist { user: word.user_id.clone(), heard: now, spread: now };
        self.sessions.entry(word.session_id).or_default().push(typist);
        Said::Spread
    }

    /// Notes that `user` has no stream of the session any more. Answers with what is to be spread.
    pub fn leave(&mut self, session: SessionId, user: &UserId, now: Timestamp) -> Option<TypingEvent> {
        self.remove(session, user).then(|| stopped(session, user.clone(), now))
    }

    /// Forgets everyone who types in a session.
    pub fn forget(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// Forgets everyone.
    pub fn clear(&mut self) {
        self.sessions.clear();
    }

    /// Ends what has been silent for too long. Answers with what is to be spread.
    pub fn tick(&mut self, now: Timestamp) -> Vec<TypingEvent> {
        let silence = self.rules.silence;
        let mut ended = Vec::new();
        for (&session, typists) in &mut self.sessions {
            for typist in typists.extract_if(.., |typist| {
                // A clock that was set back must not keep anyone typing for longer than the silence from now.
                typist.heard = typist.heard.min(now);
                now.since(typist.heard) >= silence
            }) {
                ended.push(stopped(session, typist.user, now));
            }
        }
        self.sessions.retain(|_, typists| !typists.is_empty());
        ended
    }

    /// How many people are shown as typing.
    pub fn len(&self) -> usize {
        self.sessions.values().map(Vec::len).sum()
    }

    /// Whether nobody types.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn remove(&mut self, session: SessionId, user: &UserId) -> bool {
        let Some(typists) = self.sessions.get_mut(&session) else { return false };
        let before = typists.len();
        typists.retain(|typist| typist.user != *user);
        let removed = typists.len() < before;
        if typists.is_empty() {
            self.sessions.remove(&session);
        }
        removed
    }
}

fn stopped(session_id: SessionId, user_id: UserId, at: Timestamp) -> TypingEvent {
    TypingEvent { session_id, user_id, is_typing: false, at }
}
