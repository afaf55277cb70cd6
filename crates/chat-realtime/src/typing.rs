//! Who is shown as typing in which session, when others are told of it, and when it ends. Pure: the time is told.
//!
//! * Others are told of a person's typing in a session at most once in `TypingRules::repeat`. A word that comes sooner
//!   waits for the end of that time, and a later word takes its place: the last state always arrives, no start and no
//!   stop more often. So a client may send one word per key stroke, and one that says something else each time costs
//!   the others no more.
//! * The node at which a person says a word tells the other nodes when it tells its own watchers, so that they hear no
//!   more of it either. Each node applies the rule to what it hears from the others too: a person's requests may come to
//!   several nodes. Since words wait, one from another node may come after a later one; it is dropped then by its time,
//!   and the node at which the later one was said says it once more.
//! * Clocks of nodes differ, so a time orders words and is no reading of one clock: a word that a person says here is
//!   later than every word of theirs that this node knows, whatever their clocks say (a hybrid logical clock). Clocks
//!   decide only between words of which neither node knew the other, within `TypingRules::repeat`; every node decides
//!   alike, and clocks that differ by more than the time between the two may decide for the earlier.
//! * A message ends its author's typing on every node, with the message: at once, and only where someone saw them typing.
//!   What they say of typing after it waits as above.
//! * After `TypingRules::silence` without a word typing ends by itself; it also ends when the typist's last stream of the
//!   session goes away.
//! * A node knows only the streams it has itself. What it says when a typist's last one goes (a stop with `by_node`) is
//!   contradicted by a node that has another stream of theirs, with a start that is `by_node`. Such a stop waits for
//!   `TypingRules::objection` before it is shown, so that an objection comes in time to spare the watchers both. A start
//!   that is `by_node` keeps nobody typing for longer than what they said last: where they are known it changes nothing
//!   but that, and the node that said it tells the others when it ends.
//! * When the session closes, its typists are forgotten; nothing is said, as the closing says it all.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use chat_domain::model::{SessionId, Timestamp, TypingEvent, UserId};

use crate::settings::TypingRules;

/// The least difference between two times.
const TICK: Duration = Duration::from_millis(1);

/// Where a word about typing was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// By a person at this node, who has yet to be heard at the others.
    Here,
    /// At another node, which has told all others.
    Elsewhere,
}

/// What is to be said about a typist, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypingNotice {
    /// The words.
    pub word: TypingEvent,
    /// Whether the session's watchers on this node are told.
    pub to_watchers: bool,
    /// Whether the other nodes are told.
    pub to_nodes: bool,
}

/// Someone who types, or has stopped so lately that the next word has to wait, or that an earlier one may still come.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what was said, shown here and told elsewhere change apart")]
struct Typist {
    user: UserId,
    /// Whether they type, by the last word that was heard of them, and when that was said, by the clock of its node.
    typing: bool,
    said: Timestamp,
    /// When that word was heard here, and when they were last heard to be typing.
    updated: Timestamp,
    heard: Timestamp,
    /// Whether others were last told that they type, and when that was.
    shown: bool,
    told: Timestamp,
    /// Whether the last word between nodes was that they type, whichever node said it.
    spoken: bool,
    /// Whether someone on this node has seen them typing, and not seen the end of it.
    seen: bool,
    /// When others are told of the last word, which is waiting.
    due: Option<Timestamp>,
    /// Whether that includes the other nodes.
    owed: bool,
    /// Whether other nodes know of their typing from this one, which therefore tells them the end as well.
    vouched: bool,
}

/// The people who are shown as typing: at most `TypingRules::max_typists` a session, those included who have lately
/// stopped.
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

    /// Takes a word that came at `now`, by this node's clock. `audience` is whether anyone on this node would see it.
    /// Returns what is to be said at once; the rest comes from `tick`.
    pub fn hear(&mut self, word: &TypingEvent, origin: Origin, audience: bool, now: Timestamp) -> Option<TypingNotice> {
        let rules = self.rules;
        let typists = self.sessions.get_mut(&word.session_id);
        let known = typists.as_ref().map_or(0, |typists| typists.len());
        let typist = typists.and_then(|typists| typists.iter_mut().find(|typist| typist.user == word.user_id));
        let Some(typist) = typist else {
            // A node's stop is about someone who was typing, and a table has so much room.
            if known >= rules.max_typists || (word.by_node && !word.is_typing) {
                return None;
            }
            let typist = Typist::new(word, origin, audience, now);
            self.sessions.entry(word.session_id).or_default().push(typist);
            return Some(TypingNotice { word: word.clone(), to_watchers: true, to_nodes: origin == Origin::Here });
        };
        let word = typist.ordered(word, origin);
        let word = word.as_ref();
        // That they type on is no news where they do.
        if word.by_node && word.is_typing && typist.typing {
            return None;
        }
        if origin == Origin::Elsewhere {
            typist.spoken = word.is_typing;
            if !word.by_node && typist.has_said_more_since(word.at, rules) {
                // Where that is not known, the word has just been believed.
                if typist.vouched && typist.typing != word.is_typing {
                    typist.owed = true;
                    typist.due.get_or_insert(typist.told.min(now).plus(rules.repeat));
                }
                return None;
            }
        }
        typist.typing = word.is_typing;
        typist.updated = now;
        if !word.by_node {
            typist.said = word.at;
            typist.heard = if word.is_typing { now } else { typist.heard };
        }
        typist.vouched = origin == Origin::Here;
        let objection = if word.by_node && !word.is_typing { now.plus(rules.objection) } else { now };
        let is_repetition = word.by_node && word.is_typing && typist.shown;
        if is_repetition || !(typist.typing || typist.shown || typist.spoken) {
            // Others, on this node and elsewhere, have last been told just that.
            typist.due = None;
            return None;
        }
        typist.owed = origin == Origin::Here;
        let earliest = typist.told.min(now).plus(rules.repeat).max(objection);
        if earliest > now {
            typist.due = Some(earliest);
            return None;
        }
        let (to_watchers, to_nodes) = (word.is_typing || typist.shown, typist.owed);
        typist.tell(audience, now);
        Some(TypingNotice { word: word.clone(), to_watchers, to_nodes })
    }

    /// Notes that `user` has sent a message. Returns the end of their typing if someone on this node saw it; the other
    /// nodes see the message themselves.
    pub fn sent(&mut self, session: SessionId, user: &UserId, now: Timestamp) -> Option<TypingEvent> {
        let typist = self.find(session, user)?;
        let was_seen = typist.seen;
        let was_shown = typist.shown;
        typist.typing = false;
        typist.spoken = false;
        typist.due = None;
        typist.owed = false;
        if was_shown {
            typist.tell(false, now);
        }
        was_seen.then(|| stopped(session, user.clone(), now))
    }

    /// Notes that `user` has no stream of the session on this node any more. Returns what the other nodes are to be told;
    /// the watchers here are told later, unless another node objects.
    pub fn leave(&mut self, session: SessionId, user: &UserId, now: Timestamp) -> Option<TypingEvent> {
        let rules = self.rules;
        let typist = self.find(session, user).filter(|typist| typist.typing)?;
        typist.typing = false;
        typist.said = typist.next(now);
        typist.spoken = false;
        typist.vouched = false;
        typist.owed = false;
        let due = typist.told.min(now).plus(rules.repeat).max(now.plus(rules.objection));
        typist.due = typist.shown.then_some(due);
        Some(stopped_by_node(session, user.clone(), now))
    }

    /// Stands by it that `user` types, although another node says that their last stream there has gone: there is one here.
    /// Returns what the other nodes are to be told, if they do type.
    pub fn vouch(&mut self, session: SessionId, user: &UserId, now: Timestamp) -> Option<TypingEvent> {
        let typist = self.find(session, user).filter(|typist| typist.typing)?;
        typist.vouched = true;
        typist.spoken = true;
        Some(TypingEvent { is_typing: true, ..stopped_by_node(session, user.clone(), now) })
    }

    /// Forgets everyone who types in a session.
    pub fn forget(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// Forgets everyone. Returns what the other nodes are to be told: that those have stopped who type here, by `is_here`,
    /// and what they have yet to hear of others.
    pub fn clear(&mut self, is_here: impl Fn(SessionId, &UserId) -> bool, now: Timestamp) -> Vec<TypingEvent> {
        let mut words = Vec::new();
        for (session, typists) in std::mem::take(&mut self.sessions) {
            for typist in typists {
                if typist.typing && is_here(session, &typist.user) {
                    words.push(stopped_by_node(session, typist.user, now));
                } else if !typist.typing && typist.owed && typist.due.is_some() {
                    words.push(stopped(session, typist.user, now));
                }
            }
        }
        words
    }

    /// Ends what has been silent for too long, and says what has waited long enough. `audience` is whether anyone on this
    /// node would see what that person does in that session.
    pub fn tick(&mut self, audience: impl Fn(SessionId, &UserId) -> bool, now: Timestamp) -> Vec<TypingNotice> {
        let rules = self.rules;
        let mut notices = Vec::new();
        self.sessions.retain(|&session, typists| {
            typists.retain_mut(|typist| {
                typist.keep_to_the_clock(rules, now);
                typist.fall_silent(rules, now);
                if typist.due.is_some_and(|due| due <= now) {
                    let was_seen = typist.seen;
                    let audience = audience(session, &typist.user);
                    let (to_nodes, is_typing) = (typist.owed, typist.typing);
                    typist.tell(audience, now);
                    let word = TypingEvent { is_typing, ..stopped(session, typist.user.clone(), typist.said) };
                    notices.push(TypingNotice { word, to_watchers: is_typing || was_seen, to_nodes });
                }
                typist.typing || typist.due.is_some() || now.since(typist.told.max(typist.updated)) < rules.late()
            });
            !typists.is_empty()
        });
        notices
    }

    /// How many people are shown as typing.
    pub fn len(&self) -> usize {
        self.sessions.values().flatten().filter(|typist| typist.shown).count()
    }

    /// Whether nothing is remembered of anyone.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn find(&mut self, session: SessionId, user: &UserId) -> Option<&mut Typist> {
        self.sessions.get_mut(&session)?.iter_mut().find(|typist| typist.user == *user)
    }
}

impl Typist {
    /// Someone of whom nothing was known, and of whom others are told at once.
    fn new(word: &TypingEvent, origin: Origin, audience: bool, now: Timestamp) -> Self {
        Self {
            user: word.user_id.clone(),
            typing: word.is_typing,
            said: word.at,
            updated: now,
            heard: now,
            shown: word.is_typing,
            told: now,
            spoken: word.is_typing,
            seen: word.is_typing && audience,
            due: None,
            owed: false,
            vouched: origin == Origin::Here,
        }
    }

    /// The word with a time behind those of all words that are known, where it is said here.
    fn ordered<'a>(&self, word: &'a TypingEvent, origin: Origin) -> Cow<'a, TypingEvent> {
        if origin == Origin::Here && word.at <= self.said {
            Cow::Owned(TypingEvent { at: self.next(word.at), ..word.clone() })
        } else {
            Cow::Borrowed(word)
        }
    }

    /// The time of what is said at `at` by this node's clock.
    fn next(&self, at: Timestamp) -> Timestamp {
        at.max(self.said.plus(TICK))
    }

    /// Whether a word of that time is older than the last one. One that is much older comes from a node whose clock is
    /// wrong, as no word waits for so long.
    fn has_said_more_since(&self, at: Timestamp, rules: TypingRules) -> bool {
        at < self.said && self.said.since(at) < rules.late()
    }

    /// Notes that others are told of the last word.
    fn tell(&mut self, audience: bool, now: Timestamp) {
        self.shown = self.typing;
        self.told = now;
        self.seen = self.typing && (self.seen || audience);
        self.spoken = if self.owed { self.typing } else { self.spoken };
        self.due = None;
        self.owed = false;
    }

    /// A clock that was set back must keep nobody typing, and nobody waiting, for longer than the rules say from now.
    fn keep_to_the_clock(&mut self, rules: TypingRules, now: Timestamp) {
        self.updated = self.updated.min(now);
        self.heard = self.heard.min(now);
        self.told = self.told.min(now);
        self.due = self.due.map(|due| due.min(now.plus(rules.repeat)));
    }

    /// Ends typing after the silence.
    fn fall_silent(&mut self, rules: TypingRules, now: Timestamp) {
        if self.typing && now.since(self.heard) >= rules.silence {
            self.typing = false;
            self.said = self.next(now);
            self.owed = self.vouched;
            self.due = Some(self.told.plus(rules.repeat).max(now));
        }
    }
}

/// Someone has stopped typing.
fn stopped(session_id: SessionId, user_id: UserId, at: Timestamp) -> TypingEvent {
    TypingEvent { session_id, user_id, is_typing: false, at, by_node: false }
}

/// What a node says when a typist's last stream on it goes away.
fn stopped_by_node(session_id: SessionId, user_id: UserId, at: Timestamp) -> TypingEvent {
    TypingEvent { by_node: true, ..stopped(session_id, user_id, at) }
}
