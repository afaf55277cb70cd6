//! `hold` and `check` against a service in this process, well and badly behaved.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::load::{json_of, loadgen};
use crate::service::{FakeService, Misbehaviour};

#[test]
fn held_sockets_receive_and_time_every_message() {
    let service = FakeService::start(Misbehaviour::default());
    let dir = tempfile::tempdir().unwrap();
    let ids = dir.path().join("ids");
    let (url, ids) = (service.url(), ids.to_str().unwrap());
    let send = ["send", "--url", &url, "--token", "T", "--warmup", "0s", "--json", "--quiet"];
    let opened =
        loadgen(&[&send, ["--sessions", "2", "--requests", "1", "--save-session-ids", ids].as_slice()].concat());
    assert!(opened.status.success());
    let watching = Command::new(env!("CARGO_BIN_EXE_chat-loadgen"))
        .args(["hold", "--url", &url, "--token", "T", "--session-ids-file", ids, "--sockets", "6"])
        .args(["--mode", "base", "--duration", "3s", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    service.until_sockets(6);
    let sent = loadgen(&[&send, ["--session-ids-file", ids, "--requests", "100"].as_slice()].concat());
    assert_eq!(json_of(&sent)["succeeded"], 100);
    let output = watching.wait_with_output().unwrap();
    assert!(output.status.success());
    let report = json_of(&output);
    assert_eq!(report["messages"], 300, "{report}");
    assert_eq!((&report["opened"], &report["orderFaults"]), (&6.into(), &0.into()));
    assert!(report["deliveryUs"]["p50"].as_u64().is_some());
    let document = include_str!("../../../../docs/loadgen.md");
    for name in report.as_object().unwrap().keys() {
        assert!(document.contains(&format!("`{name}`")), "docs/loadgen.md does not explain {name}");
    }
}

#[test]
fn held_sockets_without_a_refusal_report_none() {
    let service = FakeService::start(Misbehaviour::default());
    let url = service.url();
    let sent = ["send", "--url", &url, "--token=T", "--warmup=0s", "--sessions=1", "--requests=1", "--quiet"];
    assert!(loadgen(&sent).status.success());
    let output = loadgen(&["hold", "--url", &url, "--token=T", "--sockets=1", "--duration=200ms", "--quiet"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown = String::from_utf8_lossy(&output.stdout);
    let has = |name: &str, value: &str| shown.lines().any(|line| line.split_whitespace().eq([name, value]));
    assert!(has("opened", "1") && has("closeReasons", "{}"), "{shown}");
}

/// For a run that ends when its readers have seen the last message: far longer than a busy machine takes for one event.
const PATIENT: [&str; 2] = ["--settle", "120s"];
/// For a run whose readers wait in vain.
const IMPATIENT: [&str; 2] = ["--settle", "1s"];

fn check(misbehaviour: Misbehaviour, more: &[&str]) -> (Option<i32>, Value) {
    check_on(&FakeService::start(misbehaviour), &[&PATIENT, more].concat())
}

/// Of a service whose readers may never see the last message.
fn check_in_vain(misbehaviour: Misbehaviour, more: &[&str]) -> (Option<i32>, Value) {
    check_on(&FakeService::start(misbehaviour), &[&IMPATIENT, more].concat())
}

/// The exit code, and the verdict when there is one.
fn check_on(service: &FakeService, more: &[&str]) -> (Option<i32>, Value) {
    let url = service.url();
    let fixed = [
        "check",
        "--url",
        &url,
        "--secret",
        "a secret of the test, long enough",
        "--sessions",
        "2",
        "--writers",
        "4",
        "--readers",
        "3",
        "--duration",
        "300ms",
        "--repeat-every",
        "3",
        "--json",
    ];
    let output = loadgen(&[&fixed, more].concat());
    let verdict = if output.stdout.is_empty() { Value::Null } else { json_of(&output) };
    (output.status.code(), verdict)
}

#[test]
fn a_service_that_keeps_its_promises_passes() {
    let (code, verdict) = check(Misbehaviour::default(), &[]);
    assert_eq!((code, &verdict["good"]), (Some(0), &true.into()), "{verdict}");
    assert!(verdict["acknowledged"].as_u64().unwrap() > 0);
    assert!(verdict["seen"].as_u64() >= verdict["stored"].as_u64());
    let document = include_str!("../../../../docs/loadgen.md");
    for name in verdict.as_object().unwrap().keys() {
        assert!(document.contains(&format!("`{name}`")), "docs/loadgen.md does not explain {name}");
    }
}

#[test]
fn a_service_that_loses_responses_and_sockets_but_no_message_passes() {
    let misbehaviour =
        Misbehaviour { drop_response_every: 5, busy_every: 7, cut_socket_after: 3, ..Misbehaviour::default() };
    let (code, verdict) = check(misbehaviour, &[]);
    assert_eq!((code, &verdict["good"]), (Some(0), &true.into()), "{verdict}");
    assert!(verdict["unknown"].as_u64().unwrap() > 0, "{verdict}");
    assert!(verdict["readerConnections"].as_u64().unwrap() > 6, "{verdict}");
}

#[test]
fn a_reader_that_is_refused_a_replay_reads_pages() {
    let misbehaviour = Misbehaviour { cut_socket_after: 3, socket_refuses_replay: true, ..Misbehaviour::default() };
    let (code, verdict) = check(misbehaviour, &[]);
    assert_eq!((code, &verdict["good"]), (Some(0), &true.into()), "{verdict}");
}

const EXTENDED: [&str; 2] = ["--mode", "extended"];

#[test]
fn extended_sockets_resume_by_seq_and_drop_repeated_events() {
    let misbehaviour = Misbehaviour {
        cut_socket_after: 3,
        repeat_on_socket_every: 2,
        drop_response_every: 5,
        ..Misbehaviour::default()
    };
    let (code, verdict) = check(misbehaviour, &EXTENDED);
    assert_eq!((code, &verdict["good"]), (Some(0), &true.into()), "{verdict}");
    assert!(verdict["readerConnections"].as_u64().unwrap() > 6, "{verdict}");
    assert!(verdict["closeReasons"]["lost"].as_u64().unwrap() > 0, "{verdict}");
    assert!(verdict["deliveryUs"]["p50"].as_u64().is_some(), "{verdict}");
}

#[test]
fn an_extended_reader_that_cannot_resume_reads_pages() {
    let misbehaviour = Misbehaviour { cut_socket_after: 3, socket_refuses_replay: true, ..Misbehaviour::default() };
    let (code, verdict) = check(misbehaviour, &EXTENDED);
    assert_eq!((code, &verdict["good"]), (Some(0), &true.into()), "{verdict}");
}

#[test]
fn a_missing_sequence_number_is_found() {
    let (code, verdict) = check_in_vain(Misbehaviour { skip_on_socket_every: 3, ..Misbehaviour::default() }, &EXTENDED);
    assert_eq!((code, &verdict["good"]), (Some(1), &false.into()));
    let words = verdict["violations"].to_string();
    assert!(words.contains("was due") && words.contains("missed"), "{words}");
}

#[test]
fn a_socket_that_changes_a_message_is_found() {
    let (code, verdict) = check(Misbehaviour { garble_on_socket_every: 4, ..Misbehaviour::default() }, &[]);
    assert_eq!((code, &verdict["good"]), (Some(1), &false.into()));
    assert!(verdict["violations"].to_string().contains("another content"), "{verdict}");
}

#[test]
fn readers_and_writers_use_their_nodes() {
    let service = FakeService::start(Misbehaviour::default());
    let nowhere = "http://127.0.0.1:9";
    let unreachable = ["--read-url", nowhere, "--read-url", &service.url(), "--write-url", nowhere];
    let (code, verdict) = check_on(&service, &[&IMPATIENT, unreachable.as_slice()].concat());
    assert_eq!(code, Some(2), "a writer that reaches no node proves nothing: {verdict}");
    let nodes =
        ["--read-url", nowhere, "--read-url", &service.url(), "--write-url", nowhere, "--write-url", &service.url()];
    let (code, verdict) = check_on(&service, &[&PATIENT, nodes.as_slice()].concat());
    assert_eq!((code, &verdict["good"]), (Some(0), &true.into()), "{verdict}");
    assert!(verdict["closeReasons"]["unreachable"].as_u64().unwrap() > 0, "{verdict}");
}

#[test]
fn a_service_that_loses_a_message_is_found() {
    let (code, verdict) = check(Misbehaviour { forget_every: 4, ..Misbehaviour::default() }, &[]);
    assert_eq!((code, &verdict["good"]), (Some(1), &false.into()));
    let words = verdict["violations"].to_string();
    assert!(words.contains("was acknowledged but is not stored"), "{words}");
}

#[test]
fn a_socket_that_skips_a_message_is_found() {
    let (code, verdict) = check_in_vain(Misbehaviour { skip_on_socket_every: 3, ..Misbehaviour::default() }, &[]);
    assert_eq!((code, &verdict["good"]), (Some(1), &false.into()));
    assert!(verdict["violations"].to_string().contains("missed"), "{verdict}");
}

#[test]
fn a_saved_history_can_be_checked_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    let file = file.to_str().unwrap();
    let misbehaviour = Misbehaviour { forget_every: 4, ..Misbehaviour::default() };
    let (code, first) = check(misbehaviour, &["--history", file]);
    assert_eq!(code, Some(1));
    let again = loadgen(&["check", "--from", file, "--json"]);
    assert_eq!(again.status.code(), Some(1));
    let again = json_of(&again);
    assert_eq!(again["violationCount"], first["violationCount"]);
    assert_eq!(again["attempts"], first["attempts"]);
    let shown = loadgen(&["check", "--from", file, "--show", "1"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!(shown.matches("session s").count(), 1, "{shown}");
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["good", "false"])), "{shown}");
}
