//! Bad values on the command line are named, with a value that would do.

use crate::load::loadgen;

/// What the command says when it is started like this.
fn refusal(arguments: &[&str]) -> String {
    let output = loadgen(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?} was taken");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn every_bad_value_is_named_with_a_good_one() {
    for (flag, value, example) in [
        ("--url", "https://chat.example", "http://127.0.0.1:8080"),
        ("--url", "127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("--duration", "10", "10s"),
        ("--duration", "0s", "above zero"),
        ("--warmup", "soon", "10s"),
        ("--timeout", "1.5s", "10s"),
        ("--connections", "0", "64"),
        ("--connections", "many", "64"),
        ("--threads", "-1", "64"),
        ("--rate", "0", "500"),
        ("--rate", "inf", "500"),
        ("--requests", "0", "10000"),
        ("--length", "10001", "100"),
        ("--sessions", "0", "64"),
        ("--idempotency", "maybe", "on, off"),
        ("--server-pid", "x", "server-pid"),
    ] {
        let value_of = format!("{flag}={value}");
        let text = refusal(&["send", "--token", "T", &value_of]);
        assert!(text.contains(flag) && text.contains(value) && text.contains(example), "{value_of}: {text}");
    }
    for (flag, value, example) in [
        ("--signal", "hup", "kill, term, stop"),
        ("--every", "3", "10s"),
        ("--ready-url", "ftp://x", "http://127.0.0.1:8080/readyz"),
        ("--times", "0", "times"),
    ] {
        let value_of = format!("{flag}={value}");
        let text = refusal(&["drive", &value_of, "--", "true"]);
        assert!(text.contains(flag) && text.contains(value) && text.contains(example), "{value_of}: {text}");
    }
}

#[test]
fn exactly_one_source_of_tokens_is_accepted() {
    assert!(refusal(&["send"]).contains("--secret-file"));
    assert!(refusal(&["check"]).contains("--secret-file"));
    assert!(refusal(&["send", "--token", "T", "--secret", "S"]).contains("cannot be used with"));
}

#[test]
fn contradicting_options_are_refused() {
    assert!(refusal(&["send", "--token", "T", "--requests", "1", "--duration", "1s"]).contains("cannot be used with"));
    assert!(refusal(&["send", "--token", "T", "--users", "2"]).contains("--secret"));
    let text = refusal(&["read", "--token", "T", "--path", "/api/chat/sessions/{sesion}"]);
    assert!(text.contains("--path") && text.contains("{session}"), "{text}");
    let text = refusal(&["read", "--token", "T", "--path", "/m?before={before}"]);
    assert!(text.contains("--before 1000"), "{text}");
    for path in ["/api/chat/sessions", "/m?before={before}"] {
        let text = refusal(&["read", "--token", "T", "--before", "10", "--path", path]);
        assert!(text.contains("--before does nothing"), "{path}: {text}");
    }
    assert!(refusal(&["drive"]).contains("--pid"));
    assert!(refusal(&["drive", "--pid", "1", "--", "true"]).contains("cannot be used with"));
}

#[test]
fn options_of_faults_without_a_process_are_refused() {
    for (flag, value) in [
        ("--signal", "stop"),
        ("--every", "1s"),
        ("--times", "2"),
        ("--pause", "1s"),
        ("--ready-url", "http://127.0.0.1:8080/readyz"),
        ("--ready-timeout", "1s"),
    ] {
        for command in [["check", "--token=T"].as_slice(), &["drive"]] {
            let text = refusal(&[command, &[flag, value]].concat());
            assert!(text.contains("--pid <PID>|-- <COMMAND>") || text.contains("--pid"), "{text}");
            assert!(text.contains("required") && text.contains("COMMAND"), "{flag}: {text}");
        }
    }
}

/// The id of a process that has ended and been waited for.
fn no_process() -> String {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id().to_string()
}

#[test]
fn a_missing_process_is_named_with_its_option() {
    let pid = no_process();
    for command in ["send", "read"] {
        let text = refusal(&[command, "--token", "T", "--server-pid", &pid]);
        assert!(text.contains(&format!("--server-pid {pid}")), "{text}");
    }
    // By default it would be killed ten times, which --pid does not allow: that it is not there counts more.
    let text = refusal(&["drive", "--pid", &pid]);
    assert!(text.contains(&format!("process {pid}, which --pid names")), "{text}");
}

#[test]
fn unusable_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let missing = missing.to_str().unwrap();
    for arguments in [
        ["send", "--token=T", "--session-ids-file", missing],
        ["read", "--token=T", "--session-ids-file", missing],
        ["check", "--json", "--from", missing],
        ["read", "--path=/x", "--secret-file", missing],
    ] {
        assert!(refusal(&arguments).contains(missing), "{arguments:?}");
    }
    let wrong = dir.path().join("wrong");
    std::fs::write(&wrong, "a/b\n").unwrap();
    let wrong = wrong.to_str().unwrap();
    assert!(refusal(&["send", "--token=T", "--session-ids-file", wrong]).contains("a/b"));
    assert!(refusal(&["check", "--from", wrong]).contains("line 1"));
}

#[test]
fn help_names_every_subcommand_and_no_secret() {
    let output = loadgen(&["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for command in ["send", "read", "hold", "fanout", "abort", "flood", "occupy", "slow", "check", "drive"] {
        assert!(text.contains(command), "{text}");
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_chat-loadgen"))
        .args(["send", "--help"])
        .env("CHAT_LOADGEN_TOKEN", "a-secret-token")
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("a-secret-token"));
}

#[test]
fn the_defaults_of_slow_connections_are_valid() {
    // Nothing listens there, which is found out only after the arguments were read.
    let refused = refusal(&["slow", "--url=http://127.0.0.1:1", "--token=T"]);
    assert!(refused.contains("got no response (connect)"), "{refused}");
}
