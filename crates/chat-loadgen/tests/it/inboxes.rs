//! Inboxes in the history checker, each fault planted in a log by hand; and in `check` against a service in this process
//! that has it.

use chat_loadgen::history::{
    FinalInbox, History, HistoryViolation, InboxItem, InboxLog, InboxLogEntry, ViewPage, check, from_lines, to_lines,
};
use serde_json::{Value, json};

use crate::load::{json_of, loadgen};
use crate::service::{FakeService, Misbehaviour};

fn item(session: &str, seq: u64) -> InboxItem {
    InboxItem::of(&json!({ "id": session, "seq": seq, "unreadCount": seq })).unwrap()
}

fn page(view: &str, items: &[(&str, u64)], counts: &str) -> ViewPage {
    let items = items.iter().map(|(session, seq)| item(session, *seq)).collect();
    ViewPage { view: view.to_owned(), items, counts: counts.to_owned(), whole: true }
}

fn update(view: &str, session: &str, seq: Option<u64>, counts: &str) -> InboxLogEntry {
    let item = seq.map(|seq| item(session, seq));
    InboxLogEntry::Update { view: view.to_owned(), session: session.to_owned(), item, counts: counts.to_owned() }
}

/// An inbox with two sockets: on the second one, `b` is claimed out of the queue, gets a message, and `a` is closed.
fn good() -> History {
    let log = |complete, states| InboxLog { inbox: "i".to_owned(), complete, states };
    let first = vec![
        InboxLogEntry::Snapshot(page("mine", &[("a", 7)], "one")),
        InboxLogEntry::Snapshot(page("waiting", &[], "one")),
        update("waiting", "b", Some(1), "two"),
    ];
    let second = vec![
        InboxLogEntry::Snapshot(page("mine", &[("a", 6)], "two")),
        InboxLogEntry::Snapshot(page("waiting", &[("b", 1)], "two")),
        update("mine", "b", Some(2), "two"),
        update("waiting", "b", None, "two"),
        update("mine", "b", Some(3), "two"),
        update("mine", "a", None, "three"),
    ];
    let views = vec![page("mine", &[("b", 3)], "three"), page("waiting", &[], "three")];
    History {
        inboxes: vec![log(false, first), log(true, second)],
        final_inboxes: vec![FinalInbox { inbox: "i".to_owned(), views }],
        ..History::default()
    }
}

fn states(history: &mut History) -> &mut Vec<InboxLogEntry> {
    &mut history.inboxes[1].states
}

/// The only violation of a history.
fn only(history: &History) -> HistoryViolation {
    let mut found = check(history);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[test]
fn an_inbox_that_ends_as_what_rest_shows_is_good() {
    assert_eq!(check(&good()), []);
    // A snapshot begins the count again: `a` was at 7 on the socket before.
    let mut history = good();
    history.inboxes[1].complete = false;
    states(&mut history).truncate(3);
    assert_eq!(check(&history), [], "one that was not given the time is not compared");
}

#[test]
fn an_update_that_goes_back_is_found() {
    let mut history = good();
    states(&mut history).insert(5, update("mine", "a", Some(5), "two"));
    let found = only(&history);
    assert!(matches!(&found, HistoryViolation::InboxBackwards { session, seqs: [6, 5], .. } if session == "a"));
    assert_eq!(found.to_string(), "inbox i: mine shows a at seq 5 after it was at 6");
    // Nor may a session come back older than it was when it left.
    let mut history = good();
    states(&mut history).push(update("mine", "a", Some(5), "three"));
    states(&mut history).push(update("mine", "a", None, "three"));
    assert!(matches!(only(&history), HistoryViolation::InboxBackwards { .. }));
}

#[test]
fn a_lost_update_is_found() {
    let mut history = good();
    states(&mut history).remove(4);
    assert!(matches!(only(&history), HistoryViolation::InboxStale { seqs: [2, 3], .. }));
    let mut history = good();
    states(&mut history).drain(2..=2);
    states(&mut history).remove(3);
    assert!(matches!(only(&history), HistoryViolation::InboxMissing { session, .. } if session == "b"));
}

#[test]
fn a_session_that_has_not_left_a_view_is_found() {
    let mut history = good();
    states(&mut history).remove(3);
    assert!(matches!(only(&history), HistoryViolation::InboxNotLeft { view, .. } if view == "waiting"));
}

#[test]
fn another_content_and_other_counts_are_found() {
    let mut history = good();
    history.final_inboxes[0].views[0].items[0].item_hash ^= 1;
    assert!(matches!(only(&history), HistoryViolation::InboxWrongItem { session, .. } if session == "b"));
    let mut history = good();
    history.final_inboxes[0].views[0].counts = "four".to_owned();
    assert!(matches!(only(&history), HistoryViolation::InboxCounts { shown, .. } if shown == "three"));
}

#[test]
fn a_view_without_a_snapshot_is_found() {
    let mut history = good();
    states(&mut history).remove(1);
    let found = check(&history);
    assert!(found.iter().any(|found| matches!(found, HistoryViolation::InboxUnopened { .. })), "{found:#?}");
}

#[test]
fn a_session_beyond_a_page_is_not_missing() {
    let mut history = good();
    history.final_inboxes[0].views[0].items.push(item("c", 1));
    assert!(matches!(only(&history), HistoryViolation::InboxMissing { session, .. } if session == "c"));
    let InboxLogEntry::Snapshot(first) = &mut states(&mut history)[0] else { panic!("a snapshot") };
    first.whole = false;
    assert_eq!(check(&history), []);
}

#[test]
fn an_inbox_without_one_final_state_cannot_be_judged() {
    let mut history = good();
    history.final_inboxes.clear();
    assert!(matches!(only(&history), HistoryViolation::NoFinalInbox { .. }));
    let mut history = good();
    history.final_inboxes.push(history.final_inboxes[0].clone());
    assert!(matches!(only(&history), HistoryViolation::TwoFinalInboxes { .. }));
}

#[test]
fn inboxes_survive_being_written_and_read() {
    let text: String = to_lines(&good()).map(Result::unwrap).collect();
    assert_eq!(from_lines(&text).unwrap(), good());
}

/// The exit code and the verdict of a run with three inboxes: of an agent, an admin and a customer.
fn checked(misbehaviour: Misbehaviour, settle: &str) -> (Option<i32>, Value) {
    let service = FakeService::start(misbehaviour);
    let url = service.url();
    let secret = "a secret of the test, long enough";
    let output = loadgen(
        &[
            &["check", "--url", &url, "--secret", secret, "--sessions=2", "--writers=2", "--duration=600ms"][..],
            &["--inboxes=3", "--settle", settle, "--json"],
        ]
        .concat(),
    );
    (output.status.code(), json_of(&output))
}

#[test]
fn inboxes_that_are_cut_open_again_and_are_right_in_the_end() {
    let (code, verdict) = checked(Misbehaviour { cut_inbox_after: 7, ..Misbehaviour::default() }, "120s");
    assert_eq!((code, &verdict["good"]), (Some(0), &true.into()), "{verdict}");
    assert!(verdict["inboxConnections"].as_u64().unwrap() > 3, "{verdict}");
    assert!(verdict["inboxStates"].as_u64().unwrap() > 30, "{verdict}");
}

#[test]
fn an_inbox_that_forgets_an_update_is_found() {
    let (code, verdict) = checked(Misbehaviour { forget_update_every: 3, ..Misbehaviour::default() }, "1s");
    assert_eq!((code, &verdict["good"]), (Some(1), &false.into()), "{verdict}");
    assert!(verdict["violations"].to_string().contains("in the end"), "{verdict}");
}

#[test]
fn an_inbox_that_goes_back_or_counts_wrong_is_found() {
    let (code, verdict) = checked(Misbehaviour { old_update_every: 5, ..Misbehaviour::default() }, "120s");
    assert_eq!(code, Some(1), "{verdict}");
    assert!(verdict["violations"].to_string().contains("at seq 0 after it was at"), "{verdict}");
    let (code, verdict) = checked(Misbehaviour { miscount_every: 1, ..Misbehaviour::default() }, "1s");
    assert_eq!(code, Some(1), "{verdict}");
    assert!(verdict["violations"].to_string().contains("the counts are"), "{verdict}");
}

#[test]
fn inboxes_need_people_of_all_roles() {
    let service = FakeService::start(Misbehaviour::default());
    let output = loadgen(&["check", "--url", &service.url(), "--token=T", "--inboxes=1", "--sessions=1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--secret"));
}
