//! Runs of load against a service in this process: what is sent, counted and shown.

use std::process::{Command, Output};

use serde_json::Value;

use crate::service::{FakeService, Misbehaviour, STALL};

pub(crate) fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chat-loadgen"))
        .args(arguments)
        .env_remove("CHAT_LOADGEN_TOKEN")
        .env_remove("CHAT_LOADGEN_SECRET")
        .output()
        .unwrap()
}

pub(crate) fn json_of(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Runs a load of so many requests without warm-up.
fn load(service: &FakeService, command: &str, requests: &str, more: &[&str]) -> Output {
    let url = service.url();
    let fixed = [command, "--url", &url, "--token", "T", "--requests", requests, "--warmup", "0s", "--json", "--quiet"];
    loadgen(&[&fixed, more].concat())
}

/// The figures of such a load, of which something succeeded.
fn figures(service: &FakeService, command: &str, requests: &str, more: &[&str]) -> Value {
    let output = load(service, command, requests, more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    json_of(&output)
}

#[test]
fn every_message_is_sent_once_and_counted() {
    let service = FakeService::start(Misbehaviour::default());
    let figures = figures(&service, "send", "200", &["--sessions", "3", "--connections", "4", "--length", "40"]);
    assert_eq!(figures["requests"], 200);
    assert_eq!(figures["succeeded"], 200);
    assert_eq!(figures["statuses"], serde_json::json!({ "201": 200 }));
    let contents = service.contents();
    assert_eq!(contents.len(), 200);
    assert!(contents.iter().all(|content| content.len() == 40));
    // Three sessions, then one connection for each of the four workers; setting up took one of its own.
    assert_eq!(service.connections(), 5);
}

#[test]
fn several_threads_share_the_connections_and_the_number_of_requests() {
    let service = FakeService::start(Misbehaviour::default());
    let figures = figures(&service, "send", "300", &["--sessions", "2", "--connections", "5", "--threads", "3"]);
    assert_eq!(figures["requests"], 300);
    assert_eq!(figures["threads"], 3);
    assert_eq!(service.contents().len(), 300);
}

#[test]
fn responses_other_than_2xx_are_counted_by_status_and_not_timed() {
    let service = FakeService::start(Misbehaviour { busy_every: 4, ..Misbehaviour::default() });
    let figures = figures(&service, "send", "100", &["--sessions", "1", "--connections", "1"]);
    assert_eq!(figures["statuses"], serde_json::json!({ "201": 75, "503": 25 }));
    assert_eq!((&figures["requests"], &figures["succeeded"]), (&100.into(), &75.into()));
}

#[test]
fn a_lost_connection_is_counted_and_opened_again() {
    let service = FakeService::start(Misbehaviour { drop_response_every: 10, ..Misbehaviour::default() });
    let figures = figures(&service, "send", "100", &["--sessions", "1", "--connections", "1"]);
    assert_eq!(figures["failures"]["closed"], 10);
    assert_eq!(figures["succeeded"], 90);
    // One to open the session, the first one, and one after each loss but the last, after which nothing was sent.
    assert_eq!(service.connections(), 1 + 1 + 9);
}

#[test]
fn a_connection_that_ended_while_idle_fails_no_request() {
    let service = FakeService::start(Misbehaviour { hang_up: true, ..Misbehaviour::default() });
    // A tenth of a second between two requests: the end of the connection arrives long before.
    let figures = figures(&service, "send", "5", &["--sessions", "1", "--connections", "1", "--rate", "10"]);
    assert_eq!(figures["succeeded"], 5, "{figures}");
    assert_eq!(service.connections(), 1 + 5);
}

#[test]
fn an_unreachable_service_is_a_failure_to_connect() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}");
    let output = loadgen(&[
        "read",
        "--url",
        &url,
        "--token",
        "T",
        "--path",
        "/x",
        "--requests",
        "3",
        "--warmup",
        "0s",
        "--json",
        "--quiet",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text, "no request succeeded: responses none; without a response connect: 3\n");
    let figures = json_of(&output);
    assert_eq!(figures["failures"]["connect"], 3);
    assert_eq!(figures["latencyUs"], Value::Null);
}

#[test]
fn the_figures_have_their_documented_names() {
    let service = FakeService::start(Misbehaviour::default());
    let pid = std::process::id().to_string();
    let more = ["--sessions", "1", "--connections", "2", "--rate", "2000", "--server-pid", &pid];
    let figures = figures(&service, "send", "50", &more);
    let mut names: Vec<&str> = figures.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "bytesReceived",
            "command",
            "connections",
            "failures",
            "generatorCpuUsPerRequest",
            "latencyUs",
            "mode",
            "perSecond",
            "requests",
            "scheduled",
            "seconds",
            "serverCpuUsPerRequest",
            "startDelayUs",
            "statuses",
            "succeeded",
            "targetRate",
            "threads",
            "unsent"
        ]
    );
    let names = |field: &str| figures[field].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for field in ["latencyUs", "startDelayUs"] {
        let mut found = names(field);
        found.sort_unstable();
        assert_eq!(found, ["max", "mean", "min", "p50", "p90", "p99", "p999"]);
    }
    assert_eq!(figures["mode"], "open");
    let document = include_str!("../../../../docs/loadgen.md");
    let all = figures.as_object().unwrap().keys().chain(figures["latencyUs"].as_object().unwrap().keys());
    for name in all.chain(figures["failures"].as_object().unwrap().keys()) {
        assert!(document.contains(&format!("`{name}`")), "docs/loadgen.md does not explain {name}");
    }
}

#[test]
fn an_open_loop_sends_the_requests_of_its_schedule() {
    let service = FakeService::start(Misbehaviour::default());
    let url = service.url();
    let output = loadgen(&[
        "send",
        "--url",
        &url,
        "--token",
        "T",
        "--sessions",
        "1",
        "--connections",
        "8",
        "--rate",
        "500",
        "--duration",
        "400ms",
        "--warmup",
        "100ms",
        "--json",
        "--quiet",
    ]);
    let figures = json_of(&output);
    assert_eq!(figures["scheduled"], 200);
    let (requests, unsent) = (figures["requests"].as_u64().unwrap(), figures["unsent"].as_u64().unwrap());
    assert_eq!(requests + unsent, 200);
    assert!(requests > 0);
    // The warm-up sends too, but does not count.
    assert!(service.contents().len() as u64 > requests);
}

#[test]
fn a_stall_shows_in_every_request_due_in_it() {
    // Of 50 requests the 11th takes 300 ms, in which 30 others are due.
    let service = FakeService::start(Misbehaviour { stall_at: 11, ..Misbehaviour::default() });
    let load = ["--sessions", "1", "--connections", "1", "--rate", "100"];
    let open = figures(&service, "send", "50", &load);
    let of = |figures: &Value, field: &str, quantile: &str| figures[field][quantile].as_u64().unwrap();
    let stall_us = u64::try_from(STALL.as_micros()).unwrap();
    assert!(of(&open, "latencyUs", "p50") > stall_us / 10, "{open}");
    assert!(of(&open, "latencyUs", "p90") > stall_us / 2, "{open}");
    assert!(of(&open, "startDelayUs", "p90") > stall_us / 2, "{open}");
    // In a closed loop only the request that stalled is slow.
    let service = FakeService::start(Misbehaviour { stall_at: 11, ..Misbehaviour::default() });
    let closed = figures(&service, "send", "50", &load[..4]);
    assert!(of(&closed, "latencyUs", "p90") < stall_us / 2 && of(&closed, "latencyUs", "max") >= stall_us, "{closed}");
}

#[test]
fn a_read_fills_sessions_pages_and_messages_into_its_path() {
    let service = FakeService::start(Misbehaviour::default());
    let sent = figures(&service, "send", "260", &["--sessions", "1", "--connections", "1"]);
    assert_eq!(sent["succeeded"], 260);
    let before = service.requests();
    let deep = figures(&service, "read", "10", &["--connections", "2", "--before", "150"]);
    assert_eq!(deep["statuses"], serde_json::json!({ "200": 10 }));
    // Two pages of sessions and two of messages to find the place, then the load.
    assert_eq!(service.requests() - before, 2 + 2 + 10);
    let listed = figures(&service, "read", "6", &["--path", "/api/chat/sessions?page={page}", "--pages", "3"]);
    assert_eq!(listed["statuses"], serde_json::json!({ "200": 6 }));
}

#[test]
fn a_load_without_a_success_is_a_failure() {
    let service = FakeService::start(Misbehaviour { busy_every: 1, ..Misbehaviour::default() });
    let missing = load(&service, "read", "4", &["--path", "/nowhere"]);
    let refused = load(&service, "send", "5", &["--sessions", "1", "--connections", "1"]);
    for (output, status, number) in [(missing, "404", 4), (refused, "503", 5)] {
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(json_of(&output)["statuses"], serde_json::json!({ status: number }));
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(text, format!("no request succeeded: responses {status}: {number}; without a response none\n"));
    }
}

#[test]
fn a_session_less_deep_than_requested_is_a_warning() {
    let service = FakeService::start(Misbehaviour::default());
    figures(&service, "send", "120", &["--sessions", "1", "--connections", "1"]);
    for (depth, text) in [
        ("119", ""),
        ("120", "warning: 1 of 1 sessions are not 120 messages deep: they reach 119 to 119\n"),
        ("5000", "warning: 1 of 1 sessions are not 5000 messages deep: they reach 119 to 119\n"),
    ] {
        let output = load(&service, "read", "2", &["--before", depth]);
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), text);
    }
}

#[test]
fn progress_goes_to_standard_error_and_figures_to_standard_output() {
    let service = FakeService::start(Misbehaviour::default());
    let url = service.url();
    let output = loadgen(&[
        "send",
        "--url",
        &url,
        "--token",
        "T",
        "--sessions",
        "1",
        "--connections",
        "1",
        "--duration",
        "1100ms",
        "--warmup",
        "0s",
    ]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(err.contains("requests/s") && err.contains("p99"), "{err}");
    for row in ["requests", "latencyUs", "p50", "p999", "statuses", "201 "] {
        assert!(out.contains(row), "{row} is missing in {out}");
    }
}
