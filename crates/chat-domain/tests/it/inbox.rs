//! Previews, and the places of sessions in views.

use chat_domain::inbox::{ActiveSession, InboxOwner, InboxView, place};
use chat_domain::model::{
    AgentId, ChatSession, DetailsUpdate, LastMessage, NewSession, Party, Preview, Principal, Priority, SessionId,
    Timestamp,
};
use chat_testkit::fixtures::{
    agent_id, alice, at, bob, carol, mallory, message_id, new_session_of, root, session_id, start,
};
use proptest::collection::vec;
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

#[test]
fn a_preview_is_one_line_of_at_most_140_code_points() {
    let preview = |text: &str| Preview::of(text).as_str().to_owned();
    assert_eq!(preview(" \n a\t\t b\r\nc \u{2003} "), "a b c");
    assert_eq!(preview(""), "");
    assert_eq!(preview(" \n\t "), "");
    let full = "x".repeat(140);
    assert_eq!(preview(&full), full);
    assert_eq!(preview(&format!("{full}  \n")), full, "white space at the end is no text that goes on");
    assert_eq!(preview(&format!("{full}y")), format!("{}…", "x".repeat(139)));
    // No space before the sign that the text goes on.
    assert_eq!(preview(&format!("{} {}", "x".repeat(138), "y".repeat(9))), format!("{}…", "x".repeat(138)));
    // White space without end is passed over.
    assert_eq!(preview(&format!("a{}b", " ".repeat(9_000))), "a b");
}

#[test]
fn a_preview_ends_between_the_signs_that_a_person_sees() {
    // A woman, a joiner, a rocket: one sign of three code points, which would be cut in two at each of these places.
    let astronaut = "\u{1f469}\u{200d}\u{1f680}";
    for before in 137..=138 {
        let text = format!("{}{astronaut} and more", "x".repeat(before));
        assert_eq!(Preview::of(&text).as_str(), format!("{}…", "x".repeat(before)), "after {before}");
    }
    let text = format!("{}{astronaut} and more", "x".repeat(136));
    assert_eq!(Preview::of(&text).as_str(), format!("{}{astronaut}…", "x".repeat(136)));
    // A letter with more marks than there is room for.
    let heavy = format!("e{}", "\u{301}".repeat(200));
    assert_eq!(Preview::of(&heavy).as_str(), "…");
    let flags = "\u{1f1e9}\u{1f1ea}".repeat(80);
    assert_eq!(Preview::of(&flags).as_str(), format!("{}…", "\u{1f1e9}\u{1f1ea}".repeat(69)));
}

proptest! {
    #[test]
    fn a_preview_is_the_text_or_its_beginning(text in "([a-c \\n\u{301}\u{200d}\u{1f469}\u{1f680}\u{1f1e9}]{0,60}){0,6}|[a-c ]{0,150}") {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let preview = Preview::of(&text);
        let shown = preview.as_str();
        prop_assert!(shown.chars().count() <= Preview::MAX_CHARS);
        if line.chars().count() <= Preview::MAX_CHARS {
            prop_assert_eq!(shown, line.as_str());
        } else {
            let kept = shown.strip_suffix('…').unwrap();
            let whole: Vec<&str> = line.graphemes(true).collect();
            let kept_signs = kept.graphemes(true).count();
            prop_assert_eq!(kept, whole[..kept_signs].concat());
            let and_next = whole[..=kept_signs].concat();
            let next_is_space = whole[kept_signs].trim().is_empty();
            prop_assert!(next_is_space || and_next.chars().count() >= Preview::MAX_CHARS, "as long as it can be");
        }
    }
}

/// A step in a session.
#[derive(Clone, Debug)]
enum Step {
    Open(bool, Priority),
    Give(Option<bool>),
    Say(Party),
    Read(Party, u64),
    Deliver(Party),
    Urgent(Priority),
    Close,
}

fn party() -> impl Strategy<Value = Party> {
    prop_oneof![Just(Party::User), Just(Party::Support)]
}

fn priority() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Priority::Low), Just(Priority::Medium), Just(Priority::High)]
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<bool>(), priority()).prop_map(|(owner, priority)| Step::Open(owner, priority)),
        3 => any::<Option<bool>>().prop_map(Step::Give),
        6 => party().prop_map(Step::Say),
        2 => (party(), 1..3_u64).prop_map(|(reader, read)| Step::Read(reader, read)),
        1 => party().prop_map(Step::Deliver),
        1 => priority().prop_map(Step::Urgent),
        1 => Just(Step::Close),
    ]
}

/// A session after a step, or `None` when the step changes nothing.
fn after(session: Option<&ChatSession>, id: SessionId, step: &Step, now: Timestamp) -> Option<ChatSession> {
    let Some(session) = session else {
        let Step::Open(is_alice, priority) = *step else { return None };
        let owner = if is_alice { alice() } else { mallory() };
        return Some(ChatSession::open(NewSession { id, priority, started_at: now, ..new_session_of(&owner, 1) }));
    };
    let changed = session.clone();
    let changed = match step {
        Step::Open(..) => return None,
        Step::Give(to) => {
            let agent = to.map(|is_bob| agent_id(&if is_bob { bob() } else { carol() }));
            changed.transfer(agent, now).ok()?
        }
        Step::Say(sender) => {
            let (said, _) = changed.record_message(*sender, now).ok()?;
            let author = if *sender == Party::User { said.owner.clone() } else { bob().id };
            let progress = said.progress;
            let message = LastMessage {
                number: progress.message_count,
                id: message_id(progress.last_seq.get()),
                seq: progress.last_seq,
                sender: *sender,
                author,
                preview: Preview::of("text"),
                at: progress.last_event_at,
                attachment_count: 0,
            };
            said.with_last_message(message)
        }
        Step::Read(reader, read) => {
            if session.unread_by(*reader) == 0 {
                return None;
            }
            changed.record_read(*reader, *read, now)
        }
        Step::Deliver(reader) => changed.record_delivery(*reader, session.progress.last_seq, now),
        Step::Urgent(priority) => {
            let details = DetailsUpdate { priority: Some(*priority), ..DetailsUpdate::default() };
            changed.update(&details, now).ok()?
        }
        Step::Close => changed.close(now).ok()?,
    };
    (changed.progress.last_seq > session.progress.last_seq).then_some(changed)
}

fn everyone() -> Vec<(Principal, InboxView)> {
    let people = [alice(), mallory(), bob(), carol(), root()];
    people
        .into_iter()
        .flat_map(|who| InboxView::ALL.map(|view| (who.clone(), view)))
        .filter(|(who, view)| view.is_for(who.role))
        .collect()
}

proptest! {
    #[test]
    fn a_session_is_in_the_views_that_a_recount_says(script in vec(a_step(), 1..40)) {
        let id = session_id(1);
        let mut session: Option<ChatSession> = None;
        let (mut activity, mut unanswered, mut messages) = (start(), None, 0);
        for (number, step) in script.iter().enumerate() {
            let now = at(number as u64);
            let Some(changed) = after(session.as_ref(), id, step, now) else { continue };
            match step {
                Step::Open(..) | Step::Give(_) => activity = now,
                Step::Say(Party::User) => {
                    (activity, messages) = (now, messages + 1);
                    unanswered = unanswered.or(Some(now));
                }
                Step::Say(Party::Support) => (activity, messages, unanswered) = (now, messages + 1, None),
                Step::Read(..) | Step::Deliver(_) | Step::Urgent(_) | Step::Close => {}
            }
            let is_active = changed.is_active();
            prop_assert_eq!(changed.latest.activity_at, activity);
            prop_assert_eq!(changed.latest.message.as_ref().map_or(0, |message| message.number), messages);
            prop_assert!(!changed.lacks_last_message());
            let waits = if messages == 0 { Some(changed.started_at) } else { unanswered };
            prop_assert_eq!(changed.waiting_since(), waits.filter(|_| is_active));
            let is_queued = is_active && changed.agent().is_none();
            prop_assert_eq!(changed.queue_place(), is_queued.then(|| -waits.unwrap_or(Timestamp::MAX).unix_ms()));
            for (who, view) in everyone() {
                let is_agents = changed.agent() == Some(&AgentId::from(&who.id));
                let expected = match (view, InboxOwner::of(&who)) {
                    (InboxView::Mine, InboxOwner::Customer(me)) => changed.owner == me,
                    (InboxView::Mine, _) => is_active && is_agents,
                    (InboxView::Waiting, _) => is_queued,
                    (InboxView::Assigned, _) => is_active && !is_queued,
                    (InboxView::Closed, InboxOwner::Customer(me)) => !is_active && changed.owner == me,
                    (InboxView::Closed, InboxOwner::Agent(_)) => !is_active && is_agents,
                    (InboxView::Closed, InboxOwner::Admin) => !is_active,
                };
                let found = place(&InboxOwner::of(&who), view, &changed);
                prop_assert_eq!(found.is_some(), expected, "{:?} of {}", view, who.id);
                let active = ActiveSession::of(&changed);
                let is_in = active.is_some_and(|active| active.is_in(&InboxOwner::of(&who), view));
                prop_assert_eq!(is_in, expected && is_active, "as far as it is kept");
            }
            session = Some(changed);
        }
    }
}
