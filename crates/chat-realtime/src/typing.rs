//! Who is shown as typing in which session, and when that ends. Pure: the time is told.
//!
//! * A first "is typing" is spread. A repeated one keeps it alive but is spread again only every
//!   `TypingRules::repeat`, so that a client may send one per key stroke.
//! * A "stopped typing" is always spread, even of someone who is not shown: it says nothing wrong, and a watcher whose
//!   full queue dropped an earlier one is put right by it.
//! * After `TypingRules::silence` without a word it ends by itself; it also ends when the typist's last stream of the
//!   session goes away. Both are spread as "stopped typing".
//! * A node knows only the streams it has itself. What it says when a typist's last one goes (a stop with `by_node`) is
//!   contradicted by a node that has another stream of theirs, with a start that is `by_node`. That keeps nobody typing
//!   for longer than what they said last: where they are known it changes nothing, and the node that said it tells the
//!   others when it ends.
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
    /// Whether other nodes know of it only from this one, which therefore tells them the end as well.
    vouched: bool,
}

/// Typing that has ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What is to be spread.
    pub word: TypingEvent,
    /// Whether other nodes are to be told too.
    pub vouched: bool,
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
            // Nobody typed just now: it stays with what was heard before.
            if word.by_node {
                return Said::Known;
            }
            typist.heard = now;
            typist.vouched = false;
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
        let typist = Typist { user: word.user_id.clone(), heard: now, spread: now, vouched: false };
        self.sessions.entry(word.session_id).or_default().push(typist);
        Said::Spread
    }

    /// Notes that `user` has no stream of the session on this node any more. Answers with what is to be spread, also to
    /// other nodes.
    pub fn leave(&mut self, session: SessionId, user: &UserId, now: Timestamp) -> Option<TypingEvent> {
        self.remove(session, user).then(|| stopped_by_node(session, user.clone(), now))
    }

    /// Stands by it that `user` types, although another node says that their last stream there has gone: there is one here.
    /// Answers with what the other nodes are to be told, if they do type.
    pub fn vouch(&mut self, session: SessionId, user: &UserId, now: Timestamp) -> Option<TypingEvent> {
        let typist = self.sessions.get_mut(&session)?.iter_mut().find(|typist| typist.user == *user)?;
        typist.vouched = true;
        Some(TypingEvent { is_typing: true, ..stopped_by_node(session, user.clone(), now) })
    }

    /// Forgets everyone who types in a session.
    pub fn forget(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// Forgets everyone, and answers with who typed where.
    pub fn clear(&mut self) -> impl Iterator<Item = (SessionId, UserId)> {
        let sessions = std::mem::take(&mut self.sessions).into_iter();
        sessions.flat_map(|(session, typists)| typists.into_iter().map(move |typist| (session, typist.user)))
    }

    /// Ends what has been silent for too long. Answers with what is to be spread.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Ended> {
        let silence = self.rules.silence;
        let mut ended = Vec::new();
        for (&session, typists) in &mut self.sessions {
            for typist in typists.extract_if(.., |typist| {
                // A clock that was set back must not keep anyone typing for longer than the silence from now.
                typist.heard = typist.heard.min(now);
                now.since(typist.heard) >= silence
            }) {
                let word = TypingEvent {
                    session_id: session,
                    user_id: typist.user,
                    is_typing: false,
                    at: now,
                    by_node: false,
                };
                ended.push(Ended { word, vouched: typist.vouched });
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

/// What a node says when a typist's last stream on it goes away.
pub(crate) fn stopped_by_node(session_id: SessionId, user_id: UserId, at: Timestamp) -> TypingEvent {
    TypingEvent { session_id, user_id, is_typing: false, at, by_node: true }
}
