//! The page *Who may do what*, rendered from the policy: each cell is what `authorize` says.

use std::fmt::Write as _;
use std::path::PathBuf;

use chat_domain::inbox::InboxView;
use chat_domain::model::{ChatSession, Principal, Role, UserId};
use chat_domain::policy::{Action, authorize};
use chat_testkit::fixtures::{agent_id, alice, bob, carol, mallory, new_session, root, start};

const INTRODUCTION: &str = "\
# Who may do what

<!-- Rendered from crates/chat-domain/src/policy.rs by `cargo xtask docs`. Do not edit. -->

A token names a person (`sub`) and a role: `user`, `agent` or `admin`. The role and the person's part in the session
decide. A *waiting* session is active and has no agent; an *assigned* one is active and has one. What is not allowed is
403 `FORBIDDEN`; everything that is allowed may still be refused by the state of the session (409) or a limit (429).

An agent whom an admin has deactivated may do nothing: 403 `AGENT_DEACTIVATED`, whatever the table says. Their open
sockets are closed with 4403 within two seconds, on every node.

A person whom an admin has blocked may do nothing either: 403 `BLOCKED`, and 4403. A person whom an admin has signed out
needs a token that was issued later: 401 `UNAUTHENTICATED`, and 4401.
";

const CONCLUSION: &str = "
- A file that was uploaded and not sent is there for its uploader alone, and to an admin it does not exist either. To
  download and to send it, the uploader must still be allowed to see the session or to send messages in it; to remove
  it, not.
- Who may see a session may also download its attachments and their thumbnails, open sockets to it and ask for tickets
  for that. A list of sessions has exactly those that the caller may see. Everyone who is let in may open a socket of
  many sessions, and ask for a ticket for one: the right to each session is that of subscribing to it.
- The right is that of the moment: of a request when the change is decided, of a socket with every assignment, transfer
  and close. An agent who watches a waiting session loses it to the one who claims it.
- A newer token on a socket counts from its `auth` frame on if it has the lower role.
- An agent who opens sessions as a customer needs a token with the role `user` for that.
";

/// A person's part, as a column.
const COLUMNS: [&str; 5] = ["its owner", "another user", "its agent", "another agent", "an admin"];

fn people() -> [Principal; 5] {
    [alice(), mallory(), bob(), carol(), root()]
}

/// The states that make a difference. In the first two the session has no agent.
fn states() -> [(&'static str, ChatSession, bool); 4] {
    let waiting = ChatSession::open(new_session(1));
    let assigned = waiting.clone().assign(agent_id(&bob()), start()).unwrap();
    let closed = |session: &ChatSession| session.clone().close(start()).unwrap();
    [
        ("waiting", waiting.clone(), false),
        ("closed while waiting", closed(&waiting), false),
        ("assigned", assigned.clone(), true),
        ("closed while assigned", closed(&assigned), true),
    ]
}

/// What is done to a session, in words. Without a wildcard, so that a new action cannot be left out of the page.
fn in_words(action: &Action<'_>) -> &'static str {
    match action {
        Action::See(_) => "see it, its messages and attachments; watch it live",
        Action::SendMessage(_) => "send messages, upload files",
        Action::MarkRead(_) => "mark messages as read",
        Action::ShowTyping(_) => "show that one is typing",
        Action::Close(_) => "close it",
        Action::Transfer(_) => "hand it over to another agent, or back to the queue",
        Action::Update(_) => "change its subject, priority and tags",
        Action::OpenSession(_) => "open a session",
        Action::AssignAnything => "assign sessions at all",
        Action::Assign(_) => "assign a waiting session",
        Action::SeeInbox(_) => "see a view of one's inbox",
        Action::SeeStatistics => "read the statistics",
        Action::ListAgents => "list agents",
        Action::SetAvailability => "set how one is shown to colleagues",
        Action::ManageAgents => "enter, change and deactivate agents",
        Action::ManagePeople => "sign people out, block and unblock them",
    }
}

fn mark(is_allowed: bool) -> &'static str {
    if is_allowed { "yes" } else { "–" }
}

fn cells(action: &Action<'_>, has_agent: bool) -> Vec<&'static str> {
    let people = people();
    let cell = |(place, who): (usize, &Principal)| {
        // A session without an agent has no assigned agent to ask about.
        if place == 2 && !has_agent { "" } else { mark(authorize(who, action).is_ok()) }
    };
    people.iter().enumerate().map(cell).collect()
}

/// What can be done in a session, in the order of the page.
fn actions_in(session: &ChatSession) -> [Action<'_>; 7] {
    [
        Action::See(session),
        Action::SendMessage(session),
        Action::MarkRead(session),
        Action::ShowTyping(session),
        Action::Close(session),
        Action::Transfer(session),
        Action::Update(session),
    ]
}

/// Rows of one of these actions: states with the same answers share one.
fn rows_of(page: &mut String, place: usize) {
    let states = states();
    let mut rows: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for (state, session, has_agent) in &states {
        let cells = cells(&actions_in(session)[place], *has_agent);
        let fits = |row: &&mut (Vec<&str>, Vec<&str>)| {
            row.1.iter().zip(&cells).all(|(one, other)| one == other || one.is_empty() || other.is_empty())
        };
        match rows.iter_mut().find(fits) {
            Some((names, known)) => {
                names.push(state);
                known.iter_mut().zip(cells).filter(|(one, _)| one.is_empty()).for_each(|(one, other)| *one = other);
            }
            None => rows.push((vec![state], cells)),
        }
    }
    let words = in_words(&actions_in(&states[0].1)[place]);
    for (names, cells) in rows {
        let state = if names.len() == states.len() { "any".to_owned() } else { names.join(", ") };
        writeln!(page, "| {words} | {state} | {} |", cells.join(" | ")).unwrap();
    }
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    writeln!(page, "\n## In a session\n\n| action | session | {} |", COLUMNS.join(" | ")).unwrap();
    writeln!(page, "|---|---|{}", "---|".repeat(COLUMNS.len())).unwrap();
    for place in 0..actions_in(&states()[0].1).len() {
        rows_of(&mut page, place);
    }
    page.push_str("\n## Besides\n\n| action | for whom | user | agent | admin |\n|---|---|---|---|---|\n");
    let me = |role| Principal::new(UserId::parse("me").unwrap(), role);
    let (my_id, my_agent) = (me(Role::User).id, agent_id(&me(Role::Agent)));
    let (other_id, other_agent) = (mallory().id, agent_id(&carol()));
    let besides = [
        (Action::OpenSession(&my_id), "oneself"),
        (Action::OpenSession(&other_id), "another person (`userId`)"),
        (Action::Assign(&my_agent), "oneself"),
        (Action::Assign(&other_agent), "another agent"),
        (Action::SeeInbox(InboxView::Mine), "`mine`"),
        (Action::SeeInbox(InboxView::Waiting), "`waiting`"),
        (Action::SeeInbox(InboxView::Assigned), "`assigned`"),
        (Action::SeeInbox(InboxView::Closed), "`closed`"),
        (Action::SeeStatistics, ""),
        (Action::ListAgents, ""),
        (Action::SetAvailability, "oneself"),
        (Action::ManageAgents, ""),
        (Action::ManagePeople, "anyone; an admin cannot block themself"),
    ];
    for (action, whom) in besides {
        let cells = Role::ALL.map(|role| mark(authorize(&me(role), &action).is_ok()));
        writeln!(page, "| {} | {whom} | {} |", in_words(&action), cells.join(" | ")).unwrap();
    }
    page + CONCLUSION
}

/// Compares the page with its file under `docs/reference/`, or writes the file when `UPDATE_DOCS=1` is set.
#[test]
#[expect(clippy::disallowed_methods, reason = "what a developer asks of the test, and no configuration of the domain")]
fn reference_document_of_the_permissions_is_current() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/permissions.md");
    let rendered = page();
    if std::env::var("UPDATE_DOCS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, rendered).unwrap();
        return;
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == rendered, "docs/reference/permissions.md is out of date: run `cargo xtask docs`");
}
