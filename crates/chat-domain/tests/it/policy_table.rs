//! The table of rights, written out: every role, every action, every relation to the session.

use chat_domain::inbox::InboxView;
use chat_domain::model::{AgentId, ChatSession, Principal, Role, UserId};
use chat_domain::policy::{Action, authorize, visible_sessions};
use chat_testkit::fixtures::{agent_id, carol, mallory, new_session_of, person, start};

use Agent::{Me, Other, Unassigned};
use Owner::{Mine, Theirs};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Mine,
    Theirs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agent {
    Unassigned,
    Me,
    Other,
}

const ACTIVE: bool = true;
const CLOSED: bool = false;

/// For one role: owner, active or closed, assigned agent, and what is allowed of see, send, read, type, close,
/// transfer and update, in this order.
type Rows = [(Owner, bool, Agent, &'static str); 12];

const USER: Rows = [
    (Mine, ACTIVE, Unassigned, "see send read type close - -"),
    (Mine, ACTIVE, Me, "see send read type close - -"),
    (Mine, ACTIVE, Other, "see send read type close - -"),
    (Mine, CLOSED, Unassigned, "see send read type close - -"),
    (Mine, CLOSED, Me, "see send read type close - -"),
    (Mine, CLOSED, Other, "see send read type close - -"),
    (Theirs, ACTIVE, Unassigned, "- - - - - - -"),
    (Theirs, ACTIVE, Me, "- - - - - - -"),
    (Theirs, ACTIVE, Other, "- - - - - - -"),
    (Theirs, CLOSED, Unassigned, "- - - - - - -"),
    (Theirs, CLOSED, Me, "- - - - - - -"),
    (Theirs, CLOSED, Other, "- - - - - - -"),
];

/// That an agent opened a session themself, as a customer, gives them no right to it as an agent.
const AGENT: Rows = [
    (Mine, ACTIVE, Unassigned, "see - - - - - -"),
    (Mine, ACTIVE, Me, "see send read type close transfer update"),
    (Mine, ACTIVE, Other, "- - - - - - -"),
    (Mine, CLOSED, Unassigned, "- - - - - - -"),
    (Mine, CLOSED, Me, "see send read type close transfer update"),
    (Mine, CLOSED, Other, "- - - - - - -"),
    (Theirs, ACTIVE, Unassigned, "see - - - - - -"),
    (Theirs, ACTIVE, Me, "see send read type close transfer update"),
    (Theirs, ACTIVE, Other, "- - - - - - -"),
    (Theirs, CLOSED, Unassigned, "- - - - - - -"),
    (Theirs, CLOSED, Me, "see send read type close transfer update"),
    (Theirs, CLOSED, Other, "- - - - - - -"),
];

const ADMIN: Rows = [
    (Mine, ACTIVE, Unassigned, "see send read type close transfer update"),
    (Mine, ACTIVE, Me, "see send read type close transfer update"),
    (Mine, ACTIVE, Other, "see send read type close transfer update"),
    (Mine, CLOSED, Unassigned, "see send read type close transfer update"),
    (Mine, CLOSED, Me, "see send read type close transfer update"),
    (Mine, CLOSED, Other, "see send read type close transfer update"),
    (Theirs, ACTIVE, Unassigned, "see send read type close transfer update"),
    (Theirs, ACTIVE, Me, "see send read type close transfer update"),
    (Theirs, ACTIVE, Other, "see send read type close transfer update"),
    (Theirs, CLOSED, Unassigned, "see send read type close transfer update"),
    (Theirs, CLOSED, Me, "see send read type close transfer update"),
    (Theirs, CLOSED, Other, "see send read type close transfer update"),
];

const TABLE: [(Role, Rows); 3] = [(Role::User, USER), (Role::Agent, AGENT), (Role::Admin, ADMIN)];

fn me(role: Role) -> Principal {
    person("me", role)
}

fn session(owner: Owner, active: bool, agent: Agent) -> ChatSession {
    let owner = if owner == Mine { me(Role::User) } else { mallory() };
    let open = ChatSession::open(new_session_of(&owner, 1));
    let assigned = match agent {
        Unassigned => open,
        Me => open.assign(agent_id(&me(Role::Agent)), start()).unwrap(),
        Other => open.assign(agent_id(&carol()), start()).unwrap(),
    };
    if active { assigned } else { assigned.close(start()).unwrap() }
}

#[test]
fn permissions_in_a_session_match_the_table() {
    for (role, rows) in TABLE {
        let who = me(role);
        for (owner, active, agent, allowed) in rows {
            let session = session(owner, active, agent);
            let actions = [
                ("see", Action::See(&session)),
                ("send", Action::SendMessage(&session)),
                ("read", Action::MarkRead(&session)),
                ("type", Action::ShowTyping(&session)),
                ("close", Action::Close(&session)),
                ("transfer", Action::Transfer(&session)),
                ("update", Action::Update(&session)),
            ];
            let found = actions.map(|(name, action)| if authorize(&who, &action).is_ok() { name } else { "-" });
            assert_eq!(found.join(" "), allowed, "{role:?} with {owner:?}, active: {active}, agent: {agent:?}");
        }
    }
}

#[test]
fn the_table_has_every_combination_once() {
    for (role, rows) in TABLE {
        let mut expected = Vec::new();
        for owner in [Mine, Theirs] {
            for active in [ACTIVE, CLOSED] {
                expected.extend([Unassigned, Me, Other].map(|agent| (owner, active, agent)));
            }
        }
        let found: Vec<_> = rows.iter().map(|(owner, active, agent, _)| (*owner, *active, *agent)).collect();
        assert_eq!(found, expected, "{role:?}");
    }
}

#[test]
fn a_list_shows_exactly_what_may_be_seen_one_by_one() {
    for (role, rows) in TABLE {
        let who = me(role);
        for (owner, active, agent, _) in rows {
            let session = session(owner, active, agent);
            let seen = authorize(&who, &Action::See(&session)).is_ok();
            assert_eq!(visible_sessions(&who).includes(&session), seen, "{role:?}: {session:?}");
        }
    }
}

#[test]
fn permissions_beside_sessions_match_the_table() {
    let (my_id, my_agent) = (me(Role::User).id, AgentId::parse("me").unwrap());
    let (other_id, other_agent) = (UserId::parse("mallory").unwrap(), AgentId::parse("carol").unwrap());
    let actions = [
        // The action, then: user, agent, admin.
        (Action::OpenSession(&my_id), [true, false, true]),
        (Action::OpenSession(&other_id), [false, false, true]),
        (Action::AssignAnything, [false, true, true]),
        (Action::Assign(&my_agent), [false, true, true]),
        (Action::Assign(&other_agent), [false, false, true]),
        (Action::SeeInbox(InboxView::Mine), [true, true, false]),
        (Action::SeeInbox(InboxView::Waiting), [false, true, true]),
        (Action::SeeInbox(InboxView::Assigned), [false, false, true]),
        (Action::SeeInbox(InboxView::Closed), [true, true, true]),
        (Action::SeeStatistics, [false, false, true]),
        (Action::ListAgents, [false, true, true]),
        (Action::SetAvailability, [false, true, false]),
        (Action::ManageAgents, [false, false, true]),
        (Action::ManagePeople, [false, false, true]),
    ];
    for (action, allowed) in actions {
        let found = Role::ALL.map(|role| authorize(&me(role), &action).is_ok());
        assert_eq!(found, allowed, "{action:?} for user, agent, admin");
    }
}

#[test]
fn a_refusal_names_what_was_refused() {
    let session = session(Theirs, ACTIVE, Unassigned);
    let refusal = authorize(&me(Role::User), &Action::SendMessage(&session)).unwrap_err();
    assert_eq!(refusal.to_string(), "you are not allowed to send messages in this session");
}
