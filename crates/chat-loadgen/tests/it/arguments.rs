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
fn every_bad_value_is_named_with_one_that_would_do() {
    for (flag, value, example) in [
        ("--url", "https://chat.example", "http://127.0.0.1:8080"),
        ("--url", "127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("--duration", "10", "10s"),
        ("--duration", "0s", "10s"),
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
fn who_calls_must_be_said_exactly_once() {
    assert!(refusal(&["send"]).contains("--secret-file"));
    assert!(refusal(&["check"]).contains("--secret-file"));
    assert!(refusal(&["send", "--token", "T", "--secret", "S"]).contains("cannot be used with"));
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    assert!(refusal(&["send", "--token", "T", "--requests", "1", "--duration", "1s"]).contains("cannot be used with"));
    assert!(refusal(&["send", "--token", "T", "--users", "2"]).contains("--secret"));
    let text = refusal(&["read", "--token", "T", "--path", "/api/chat/sessions/{sesion}"]);
    assert!(text.contains("--path") && text.contains("{session}"), "{text}");
    let text = refusal(&["read", "--token", "T", "--path", "/m?before={before}"]);
    assert!(text.contains("--before 1000"), "{text}");
    assert!(refusal(&["drive"]).contains("--pid"));
    assert!(refusal(&["drive", "--pid", "1", "--", "true"]).contains("cannot be used with"));
}

#[test]
fn files_that_cannot_be_used_are_named() {
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
fn help_names_every_subcommand_and_neither_token_nor_secret() {
    let output = loadgen(&["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for command in ["send", "read", "watch", "check", "drive"] {
        assert!(text.contains(command), "{text}");
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_chat-loadgen"))
        .args(["send", "--help"])
        .env("CHAT_LOADGEN_TOKEN", "a-token-that-is-nobody-s-business")
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("nobody-s-business"));
}
