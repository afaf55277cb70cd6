//! Commands that hold many sockets, against a service in this process.

use serde_json::Value;

use crate::load::{json_of, loadgen};
use crate::service::{FakeService, Misbehaviour};

/// A service with sessions that have some messages.
fn service(misbehaviour: Misbehaviour) -> FakeService {
    let service = FakeService::start(misbehaviour);
    let url = service.url();
    let sent = ["send", "--url", &url, "--token=T", "--warmup=0s", "--sessions=3", "--requests=9", "--quiet"];
    assert!(loadgen(&sent).status.success());
    service
}

/// The report of a command and its exit code.
fn run(service: &FakeService, command: &str, more: &[&str]) -> (Option<i32>, Value) {
    let url = service.url();
    let fixed = [command, "--url", &url, "--secret", "a secret of the test, long enough", "--json", "--quiet"];
    let output = loadgen(&[&fixed, more].concat());
    let report = json_of(&output);
    let document = include_str!("../../../../docs/loadgen.md");
    for name in report.as_object().unwrap().keys() {
        assert!(document.contains(&format!("`{name}`")), "docs/loadgen.md does not explain {name}");
    }
    (output.status.code(), report)
}

#[test]
fn held_sockets_are_all_open_and_all_resume() {
    let service = service(Misbehaviour::default());
    let own = std::process::id().to_string();
    let more = ["--sockets=60", "--duration=200ms", "--resume", "--server-pid", &own];
    let (code, report) = run(&service, "hold", &more);
    assert_eq!((code, &report["sockets"], &report["resumed"]), (Some(0), &60.into(), &60.into()), "{report}");
    assert_eq!(report["notResumed"], serde_json::json!({}));
    assert!(report["connectsPerSecond"].as_f64().unwrap() > 0.0 && report["resumeSeconds"].as_f64().is_some());
    assert!(report["serverKibBefore"].as_u64().is_some() && report["serverCpuUsPerConnect"].as_f64().is_some());
}

#[test]
fn sockets_of_base_mode_cannot_be_resumed() {
    let service = service(Misbehaviour::default());
    let url = service.url();
    let output = loadgen(&["hold", "--url", &url, "--token=T", "--mode=base", "--resume", "--quiet"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--mode extended"));
}

#[test]
fn sockets_that_are_cut_resume_and_miss_nothing() {
    let service = service(Misbehaviour { cut_socket_after: 4, ..Misbehaviour::default() });
    let url = service.url();
    let watch = std::process::Command::new(env!("CARGO_BIN_EXE_chat-loadgen"))
        .args(["hold", "--url", &url, "--secret=a secret of the test, long enough", "--mode=extended"])
        .args(["--sockets=3", "--sessions=3", "--duration=4s", "--json", "--quiet"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    service.until_sockets(3);
    let dir = tempfile::tempdir().unwrap();
    let ids = dir.path().join("ids");
    std::fs::write(&ids, "s0\ns1\ns2\n").unwrap();
    let ids = ids.to_str().unwrap();
    let send =
        ["send", "--url", &url, "--token=T", "--session-ids-file", ids, "--requests=30", "--warmup=0s", "--quiet"];
    assert!(loadgen(&send).status.success());
    let output = watch.wait_with_output().unwrap();
    let report = json_of(&output);
    assert_eq!((&report["messages"], &report["orderFaults"]), (&30.into(), &0.into()), "{report}");
    assert!(
        report["resumed"].as_u64().unwrap() >= 3 && report["closeReasons"]["lost"].as_u64().unwrap() >= 3,
        "{report}"
    );
    assert!(report["resumptionUs"]["max"].as_u64().is_some(), "{report}");
}

#[test]
fn held_sockets_find_a_missing_sequence_number() {
    let service = service(Misbehaviour { skip_on_socket_every: 2, cut_socket_after: 3, ..Misbehaviour::default() });
    let (_, before) = run(&service, "hold", &["--mode=extended", "--sockets=1", "--sessions=1", "--duration=200ms"]);
    assert_eq!(before["orderFaults"], 0, "nothing came");
    let url = service.url();
    let watch = std::process::Command::new(env!("CARGO_BIN_EXE_chat-loadgen"))
        .args([
            "hold",
            "--url",
            &url,
            "--token=T",
            "--mode=extended",
            "--sockets=3",
            "--duration=2s",
            "--json",
            "--quiet",
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    service.until_sockets(4);
    let send = ["send", "--url", &url, "--token=T", "--sessions=1", "--requests=1", "--warmup=0s", "--quiet"];
    assert!(loadgen(&send).status.success());
    let dir = tempfile::tempdir().unwrap();
    let ids = dir.path().join("ids");
    std::fs::write(&ids, "s0\ns1\ns2\n").unwrap();
    let ids = ids.to_str().unwrap();
    let send =
        ["send", "--url", &url, "--token=T", "--session-ids-file", ids, "--requests=12", "--warmup=0s", "--quiet"];
    assert!(loadgen(&send).status.success());
    let output = watch.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(json_of(&output)["firstFaults"].to_string().contains("was due"));
}

#[test]
fn a_fanout_counts_what_every_socket_received() {
    let service = service(Misbehaviour::default());
    let more = ["--sockets=5", "--window=4", "--warmup=100ms", "--duration=400ms", "--frame-bytes=250"];
    let (code, report) = run(&service, "fanout", &more);
    assert_eq!((code, &report["missing"], &report["refused"]), (Some(0), &0.into(), &0.into()), "{report}");
    assert_eq!(report["frameBytes"], 250, "{report}");
    assert!(report["frames"].as_u64().unwrap() > 5 && report["deliveryUs"]["p99"].as_u64().is_some(), "{report}");
}

#[test]
fn clients_leave_in_every_phase_and_the_service_goes_on() {
    let service = service(Misbehaviour::default());
    let (code, report) = run(&service, "abort", &["--cycles=100", "--sockets=10"]);
    assert_eq!((code, &report["cycles"], &report["stoppedShort"]), (Some(0), &100.into(), &serde_json::json!({})));
    let each = |phase: &str| report["phases"][phase].as_u64();
    for phase in ["after-connect", "half-request", "request-unread", "after-upgrade", "mid-frame"] {
        assert_eq!(each(phase), Some(20), "{phase}: {report}");
    }
    let (_, report) = run(&service, "hold", &["--sockets=1", "--duration=1ms"]);
    assert_eq!(report["sockets"], 1);
}

#[test]
fn a_flood_ends_with_the_close_code_or_survives() {
    let strict = service(Misbehaviour { close_at_first_bytes: true, ..Misbehaviour::default() });
    let (code, report) = run(&strict, "flood", &["--mode=base", "--sockets=8", "--duration=10s"]);
    assert_eq!((code, &report["closeReasons"]), (Some(0), &serde_json::json!({ "closed 1009": 8 })), "{report}");
    assert!(report["mostBytesSent"].as_u64().unwrap() >= 14);
    let lax = service(Misbehaviour::default());
    let (code, report) = run(&lax, "flood", &["--mode=base", "--sockets=1", "--what=pings", "--duration=300ms"]);
    assert_eq!((code, &report["closeReasons"]), (Some(1), &serde_json::json!({ "survived": 1 })), "{report}");
}

#[test]
fn sockets_that_never_read_notice_only_a_reset() {
    let service = service(Misbehaviour::default());
    let (code, report) = run(&service, "hold", &["--reading=nothing", "--sockets=4", "--duration=200ms"]);
    assert_eq!(
        (code, &report["open"], &report["allBrokenAfterSeconds"]),
        (Some(0), &4.into(), &Value::Null),
        "{report}"
    );
}

#[test]
fn sockets_that_catch_up_unread_are_counted_with_memory() {
    let service = FakeService::start(Misbehaviour::default());
    let own = std::process::id().to_string();
    let more = ["--sockets=4", "--sessions=2", "--catch-up=3", "--duration=300ms", "--server-pid", &own];
    let (code, report) = run(&service, "hold", &[more.as_slice(), &["--reading=nothing"]].concat());
    assert_eq!((code, &report["open"], &report["sessions"]), (Some(0), &4.into(), &2.into()), "{report}");
    assert_eq!(service.contents().len(), 2 * 3);
    assert!(report["serverKibPeak"].as_u64() >= report["serverKibBefore"].as_u64(), "{report}");
}

#[test]
fn uploads_that_stop_are_counted() {
    let service = FakeService::start(Misbehaviour::default());
    // A service that reads the whole request first lets them stand.
    let more = ["--what=upload", "--connections=3", "--bytes=1000", "--duration=300ms"];
    let (code, report) = run(&service, "occupy", &more);
    assert_eq!((code, &report["stalled"], &report["open"]), (Some(0), &3.into(), &3.into()), "{report}");
    assert_eq!((&report["statuses"], &report["closeReasons"]), (&serde_json::json!({}), &serde_json::json!({})));
}

#[test]
fn multiplexed_sockets_have_an_inbox_and_subscriptions_and_resume() {
    let service = service(Misbehaviour::default());
    let more = ["--sockets=12", "--inbox=waiting,assigned", "--subscriptions=3", "--duration=200ms", "--resume"];
    let (code, report) = run(&service, "hold", &more);
    assert_eq!((code, &report["open"], &report["subscriptions"]), (Some(0), &12.into(), &3.into()), "{report}");
    assert_eq!((&report["resumed"], &report["closeReasons"]), (&36.into(), &serde_json::json!({})), "{report}");
}

#[test]
fn multiplexed_sockets_are_of_extended_mode_and_read() {
    let service = service(Misbehaviour::default());
    let url = service.url();
    for wrong in ["--mode=base", "--reading=nothing"] {
        let output = loadgen(&["hold", "--url", &url, "--token=T", "--inbox=waiting", wrong, "--quiet"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("--mode extended"));
    }
}

#[test]
fn a_desk_times_messages_to_the_inbox_and_to_the_subscription() {
    let service = FakeService::start(Misbehaviour::default());
    let own = std::process::id().to_string();
    let size = ["--agents=3", "--subscriptions=2", "--rate=50", "--duration=1s", "--idle=100ms", "--server-pid", &own];
    let (code, report) = run(&service, "desk", &size);
    assert_eq!((code, &report["sockets"], &report["missing"]), (Some(0), &3.into(), &0.into()), "{report}");
    assert_eq!((&report["succeeded"], &report["messages"]), (&50.into(), &50.into()), "{report}");
    assert!(report["inboxUpdates"].as_u64().unwrap() >= 3 && report["inboxUs"]["p50"].as_u64().is_some(), "{report}");
    assert!(report["deliveryUs"]["p99"].as_u64().is_some() && report["serverCpu"].as_f64().is_some(), "{report}");
    let (code, report) = run(&service, "desk", &[size.as_slice(), &["--single"]].concat());
    assert_eq!((code, &report["sockets"], &report["missing"]), (Some(0), &6.into(), &0.into()), "{report}");
    assert_eq!((&report["inboxUpdates"], &report["inboxUs"]), (&0.into(), &Value::Null), "{report}");
}
