//! Every use case refuses in the same order: an unknown session, a missing right, bad input, and what the state does not
//! allow. A caller learns nothing about a session that they may not see.

use chat_domain::error::Resource;
use chat_domain::model::{
    DetailsUpdate, ExpectedVersion, IdempotencyKey, MessageCursor, MessageQuery, PageLimit, Principal, Role, Seq,
    SessionId, SessionUpdate, TicketDigest,
};
use chat_domain::ports::ReplayFallback;
use chat_domain::service::{ReadMessages, SendMessage, SubscribeFrom, SubscribeOptions};
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::{agent_id, alice, at, bob, carol, mallory, message_id, person, root, session_id};
use chat_testkit::form;

use crate::support::Outcome::{self, Conflict, Done, Forbidden, Invalid, NotFound};
use crate::support::{App, bad};

/// The use cases that are about one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UseCase {
    GetSession,
    GetMessages,
    GetMessage,
    SendText,
    SendWithKey,
    SendFiles,
    Upload,
    PrepareUpload,
    MarkRead,
    MarkReadTo,
    MarkReadUpTo,
    ShowTyping,
    Close,
    Assign,
    Transfer,
    Update,
    Watch,
    IssueTicket,
}

use UseCase::{
    Assign, Close, GetMessage, GetMessages, GetSession, IssueTicket, MarkRead, MarkReadTo, MarkReadUpTo, PrepareUpload,
    SendFiles, SendText, SendWithKey, ShowTyping, Transfer, Update, Upload, Watch,
};

const ALL: [UseCase; 18] = [
    GetSession,
    GetMessages,
    GetMessage,
    SendText,
    SendWithKey,
    SendFiles,
    Upload,
    PrepareUpload,
    MarkRead,
    MarkReadTo,
    MarkReadUpTo,
    ShowTyping,
    Close,
    Assign,
    Transfer,
    Update,
    Watch,
    IssueTicket,
];

/// Runs a use case with good input or, where it takes any, with input that breaks a rule.
async fn attempt(app: &App, what: UseCase, who: &Principal, id: SessionId, good: bool) -> Outcome {
    let service = &app.service;
    let text = || if good { SendMessage::text("hello") } else { SendMessage::Content(bad()) };
    match what {
        GetSession => Outcome::of(service.get_session(who, id).await),
        GetMessages => {
            let query = MessageQuery { cursor: MessageCursor::Newest, limit: PageLimit::MESSAGES, known: None };
            Outcome::of(service.get_messages(who, id, if good { Ok(query) } else { bad() }).await)
        }
        // In a session without a message: what may be seen is not there.
        GetMessage => match service.get_message(who, id, good.then(|| message_id(1))).await {
            Err(ChatError::NotFound(Resource::Message)) => Done,
            other => Outcome::of(other),
        },
        SendText => Outcome::of(service.send_message(who, id, text(), None).await),
        SendWithKey => {
            let key = if good { Ok(IdempotencyKey::parse("k").unwrap()) } else { bad() };
            Outcome::of(service.send_message(who, id, SendMessage::text("hello"), Some(key)).await)
        }
        SendFiles => {
            let text = if good { "hello" } else { " " };
            let message = SendMessage::Form(form::form([form::content(text)]));
            Outcome::of(service.send_message(who, id, message, None).await)
        }
        Upload => {
            let file = if good { Ok(form::upload_of("hello")) } else { bad() };
            Outcome::of(service.upload_attachment(who, id, file).await)
        }
        PrepareUpload => Outcome::of(service.prepare_upload(who, id, if good { Ok(1) } else { bad() }).await),
        MarkRead => {
            let messages = if good { Ok(ReadMessages::Named(Vec::new())) } else { bad() };
            Outcome::of(service.mark_read(who, id, messages).await)
        }
        // No session of these tests has come so far.
        MarkReadTo => {
            let up_to = ReadMessages::UpTo(Seq::new(if good { 1 } else { 99 }));
            Outcome::of(service.mark_read(who, id, Ok(up_to)).await)
        }
        ShowTyping => Outcome::of(service.send_typing(who, id, if good { Ok(true) } else { bad() }).await),
        Close => Outcome::of(service.close_session(who, id, if good { Ok(()) } else { bad() }).await),
        Assign => Outcome::of(service.assign_agent(who, id, if good { Ok(agent_id(&bob())) } else { bad() }).await),
        Transfer => Outcome::of(service.transfer_session(who, id, if good { Ok(None) } else { bad() }).await),
        Update => {
            let details = DetailsUpdate { subject: Some(None), ..DetailsUpdate::default() };
            let update = SessionUpdate { details, expected: ExpectedVersion::Any };
            Outcome::of(service.update_session(who, id, if good { Ok(update) } else { bad() }).await)
        }
        MarkReadUpTo => Outcome::of(service.mark_read_up_to(who, id, Seq::new(1)).await),
        Watch => {
            let from = if good { Ok(SubscribeFrom::Now) } else { bad() };
            Outcome::of(
                service.subscribe_session(who, id, SubscribeOptions { from, fallback: ReplayFallback::Refuse }).await,
            )
        }
        IssueTicket => Outcome::of(service.issue_ticket(who, id, at(3_600), TicketDigest::of("a ticket")).await),
    }
}

/// Whether the use case takes input beside the session's id.
fn takes_input(what: UseCase) -> bool {
    !matches!(what, GetSession | GetMessage | MarkReadUpTo | IssueTicket)
}

#[tokio::test]
async fn an_unknown_session_comes_before_every_other_refusal() {
    let app = App::new();
    for what in ALL {
        for who in [mallory(), bob(), root()] {
            for good in [true, false] {
                assert_eq!(attempt(&app, what, &who, session_id(9), good).await, NotFound, "{what:?} by {who:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_missing_right_comes_before_bad_input_and_the_state() {
    let app = App::new();
    for (n, closed) in [(1, false), (2, true)] {
        let id = app.held_by_bob(n).await;
        if closed {
            app.service.close_session(&bob(), id, Ok(())).await.unwrap();
        }
        for what in ALL {
            for good in [true, false] {
                let stranger = attempt(&app, what, &mallory(), id, good).await;
                assert_eq!(stranger, Forbidden, "{what:?}, closed: {closed}, good: {good}");
                // The owner may do everything but move their session between agents.
                if matches!(what, Assign | Transfer | Update) {
                    assert_eq!(attempt(&app, what, &alice(), id, good).await, Forbidden, "{what:?}");
                }
                // Another agent may try to claim it: that it is taken is a matter of state.
                if what != Assign {
                    assert_eq!(attempt(&app, what, &carol(), id, good).await, Forbidden, "{what:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn bad_input_comes_before_the_state() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    for closed in [false, true] {
        if closed {
            app.service.close_session(&bob(), id, Ok(())).await.unwrap();
        }
        for what in ALL.into_iter().filter(|what| takes_input(*what)) {
            let found = attempt(&app, what, &root(), id, false).await;
            assert_eq!(found, Invalid, "{what:?}, closed: {closed}");
        }
    }
}

#[tokio::test]
async fn a_closed_session_is_read_but_not_changed() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.service.close_session(&bob(), id, Ok(())).await.unwrap();
    for what in ALL {
        let expected = match what {
            GetSession | GetMessages | GetMessage | MarkRead | MarkReadTo | MarkReadUpTo | ShowTyping | Watch
            | IssueTicket => Done,
            SendText | SendWithKey | SendFiles | Upload | PrepareUpload | Close | Assign | Transfer | Update => {
                Conflict
            }
        };
        assert_eq!(attempt(&app, what, &root(), id, true).await, expected, "{what:?}");
    }
}

#[tokio::test]
async fn an_unknown_agent_comes_after_the_right_and_before_the_state() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.service.close_session(&bob(), id, Ok(())).await.unwrap();
    let unknown = agent_id(&person("dave", Role::Agent));
    let is_unknown_agent = |answer: Result<_>| matches!(answer, Err(ChatError::NotFound(Resource::Agent)));
    assert!(is_unknown_agent(app.service.assign_agent(&root(), id, Ok(unknown.clone())).await));
    assert!(is_unknown_agent(app.service.transfer_session(&root(), id, Ok(Some(unknown.clone()))).await));
    assert_eq!(Outcome::of(app.service.assign_agent(&alice(), id, Ok(unknown.clone())).await), Forbidden);
    assert_eq!(Outcome::of(app.service.transfer_session(&carol(), id, Ok(Some(unknown))).await), Forbidden);
}

#[tokio::test]
async fn an_agent_who_lost_the_session_is_refused_everywhere() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    app.transfer(id, Some(&carol())).await;
    for what in ALL.into_iter().filter(|what| *what != Assign) {
        assert_eq!(attempt(&app, what, &bob(), id, true).await, Forbidden, "{what:?}");
    }
    assert_eq!(attempt(&app, Assign, &bob(), id, true).await, Conflict, "a claim of a session that is taken");
}

#[tokio::test]
async fn a_waiting_session_may_be_looked_at_and_claimed_by_any_agent() {
    let app = App::new();
    app.service.admit(&bob()).await.unwrap();
    let id = app.waiting(&alice(), 1).await;
    for what in ALL.into_iter().filter(|what| *what != Assign) {
        let looks = matches!(what, GetSession | GetMessages | GetMessage | Watch | IssueTicket);
        let expected = if looks { Done } else { Forbidden };
        assert_eq!(attempt(&app, what, &bob(), id, true).await, expected, "{what:?}");
    }
    assert_eq!(attempt(&app, Assign, &bob(), id, true).await, Done);
}

#[tokio::test]
async fn messages_to_be_read_are_checked_after_the_right() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let unknown = || Ok(ReadMessages::Named(vec![message_id(77)]));
    assert_eq!(Outcome::of(app.service.mark_read(&mallory(), id, unknown()).await), Forbidden);
    assert_eq!(Outcome::of(app.service.mark_read(&bob(), id, unknown()).await), Invalid);
    assert_eq!(Outcome::of(app.service.mark_read(&bob(), session_id(9), unknown()).await), NotFound);
}
